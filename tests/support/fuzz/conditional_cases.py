"""Ranges, conditions and places in a stream of events that make no sense."""

from random import Random

from support.fuzz.cases import Case, Cases, Target, request

RANGES = (
    "bytes=0-0",
    "bytes=-1",
    "bytes=5-1",
    "bytes=0-99999999999999999999",
    "bytes=" + "0-1," * 900,
    "items=1-2",
    "bytes=a-b",
    "bytes",
    "",
)
TAGS = (
    "*",
    '"',
    'W/"',
    '""',
    "a" * 7000,
    '"a", ' * 500,
    "\xff",
    'W/"0"',
    '"' + "0" * 64 + '"',
    ",,,",
    'W/W/"1"',
    "0.0",
)
DATES = ("0", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 99 Zzz 9999 99:99:99 GMT", "", "-1", "\xff")
PLACES = (
    "0-0-queued",
    "999999999999999-999999999-running",
    "1-1-succeeded",
    "-1--1-queued",
    "٣-٣-queued",
    "9" * 400,
    "",
    "a",
    "0-0-unknown\x00",
    "1e5-1-queued",
    "0-0-QUEUED",
    "\xff\xff",
    "999999999999999-999999999-unknown",
)


def cases(random: Random, target: Target) -> Cases:
    while True:
        ended = f"/v1/jobs/{target.ended_job}"
        path = random.choice(
            (
                ended,
                f"{ended}?wait=0",
                f"{ended}/items/0/image?proxy=1",
                f"{ended}/items/0/image",
                f"{ended}/archive",
                f"{ended}/items/{random.choice((1, 99, 2**40))}/image",
                "/docs",
                "/openapi.json",
            )
        )
        names = {"Range": RANGES, "If-None-Match": TAGS, "If-Match": TAGS, "If-Modified-Since": DATES, "If-Range": TAGS}
        chosen = random.sample(list(names), random.randint(1, 3))
        headers = {name: random.choice(names[name]) for name in chosen}
        yield Case(
            category="conditions",
            name="+".join(sorted(chosen)[:1]),
            data=request("GET", path, headers=headers),
            method="GET",
        )
        place = {"Last-Event-ID": random.choice(PLACES).encode("utf-8").decode("latin-1")}
        data = request("GET", f"{ended}/events", headers=place)
        yield Case(category="events", name="Last-Event-ID", data=data, method="GET")
