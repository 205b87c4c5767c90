"""Multipart bodies that are not framed as they say, or hold other parts than there should be."""

import json
from collections.abc import Callable
from random import Random

from support.fuzz.cases import BOUNDARY, JOBS_PATH, MAPS_PATH, Case, Cases, Target, form, multipart, part, request
from support.label_maps import png

MAP = png([[0, 1], [2, 3]])
PARAMS = part("params", json.dumps({"model": "landscape"}).encode())
LABEL_MAP = part("label_map", MAP, file="a.png")
TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
CHUNKED = {**TYPE, "Transfer-Encoding": "chunked"}
FILE_NAMES = (
    "../../a.png",
    "a\x00.png",
    "\udcff.png",
    "a" * 4000,
    "",
    ".",
    "C:\\a.png",
    "a;b=c.png",
    "%22%0d%0a",
    "\u202ea.png",
    "maps.zip",
)


def boundary(random: Random) -> bytes:
    kinds = (
        "",
        "; boundary=",
        "; boundary=other",
        f"; boundary={'b' * 300}",
        "; boundary=\xff",
        '; boundary="',
        "; boundary=-- --",
    )
    return request(
        "POST",
        _path(random),
        form(PARAMS, LABEL_MAP),
        headers={"Content-Type": "multipart/form-data" + random.choice(kinds)},
    )


def nested(random: Random) -> bytes:
    inner = form(PARAMS, LABEL_MAP)
    extra = f"Content-Type: multipart/mixed; boundary={random.choice((BOUNDARY, 'inner'))}\r\n"
    return multipart(_path(random), form(PARAMS, part("label_map", inner, file="a.png", extra=extra)))


def many_parts(random: Random) -> bytes:
    one = random.choice((part("x", b""), part("params", b"{}"), part("label_map", b"", file="a.png"), LABEL_MAP))
    return multipart(_path(random), form(PARAMS, *[one] * random.choice((500, 2009, 5000))))


def missing_or_doubled(random: Random) -> bytes:
    parts = [
        random.choice(
            (
                PARAMS,
                LABEL_MAP,
                part("instance_map", MAP, file="i.png"),
                part("palette", b"a,b\n1,2\n", file="p.csv"),
                part("style_image", MAP, file="s.png"),
            )
        )
        for _ in range(random.randint(0, 4))
    ]
    return multipart(_path(random), form(*parts))


def part_heads(random: Random) -> bytes:
    extra = random.choice(
        (
            "Content-Transfer-Encoding: base64\r\n",
            "Content-Type: \xff\r\n",
            "A: " + "b" * 20_000 + "\r\n",
            "no colon\r\n",
            "Content-Type: text/plain; charset=utf-7\r\n",
            "X: y\r\n" * 3000,
        )
    )
    return multipart(_path(random), form(PARAMS, part("label_map", MAP, file="a.png", extra=extra)))


def file_names(random: Random) -> bytes:
    return multipart(_path(random), form(PARAMS, part("label_map", MAP, file=random.choice(FILE_NAMES))))


def params(random: Random) -> bytes:
    texts = (
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"model": 1}',
        b'{"model": "landscape", "seed": 1e999}',
        b"9" * 5000,
        b'{"model": "' + b"a" * 10_000 + b'"}',
        b'{"model":"landscape","size":"0x0"}',
        b'{"model":"landscape","size":"99999x99999"}',
        b'{"model":"landscape","variations":64,"seed":9007199254740991}',
        b"a" * (2**20 + 1),
    )
    return multipart(_path(random), form(part("params", random.choice(texts)), LABEL_MAP))


def palettes(random: Random) -> bytes:
    texts = (
        b"",
        b"color,id\n#000000,0\n",
        b"color,id\n#zzzzzz,0\n",
        b"r,g,b,id\n-1,0,0,0\n",
        b"\xff\xfe\0",
        b"color,id\n" * 5000,
        b'"' * 3000,
        b"color,name\n#123456," + b"a" * 20_000,
        b"a" * 200_000,
    )
    return multipart(_path(random), form(PARAMS, LABEL_MAP, part("palette", random.choice(texts), file="p.csv")))


def no_end(random: Random) -> bytes:
    ends = (b"", b"--", f"--{BOUNDARY}".encode(), f"--{BOUNDARY}-".encode(), b"\0" * 5000)
    return multipart(_path(random), form(PARAMS, LABEL_MAP, end=random.choice(ends)))


def short_length(random: Random) -> bytes:
    body = form(PARAMS, LABEL_MAP)
    return multipart(_path(random), body, length=random.randrange(len(body)))


def flipped(random: Random) -> bytes:
    body = bytearray(form(PARAMS, LABEL_MAP))
    for _ in range(random.randint(1, 10)):
        body[random.randrange(len(body))] = random.randrange(256)
    return multipart(_path(random), bytes(body))


def chunked(random: Random) -> bytes:
    body = form(PARAMS, LABEL_MAP)
    size = f"{len(body):x}".encode()
    tails = (
        b"0\r\n\r\ngarbage",
        b"0\r\nX: y\r\n\r\n" + random.randbytes(50),
        b"0\r\n\r\n\r\n\r\n",
        b"-1\r\n\r\n",
        b"ffffffffffffffff\r\na",
        b"0;ext=" + b"a" * 9000 + b"\r\n\r\n",
        b"zz\r\n",
    )
    heads = (size, size + b";a=b", b"0x" + size, b"+" + size, b" " + size, size.zfill(200))
    head = request("POST", _path(random), headers=CHUNKED)
    return head + random.choice(heads) + b"\r\n" + body + b"\r\n" + random.choice(tails)


def _path(random: Random) -> str:
    return random.choice((MAPS_PATH, JOBS_PATH))


MAKERS: tuple[Callable[[Random], bytes], ...] = (
    *(boundary, nested, many_parts, missing_or_doubled, part_heads, file_names, params, palettes, no_end),
    *(short_length, flipped, chunked),
)


def cases(random: Random, _: Target) -> Cases:
    while True:
        for make in MAKERS:
            yield Case(category="multipart", name=make.__name__, data=make(random))
