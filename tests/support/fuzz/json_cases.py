"""JSON that is too deep, too large, no number, no text, or not what the schema says."""

import base64
import json
from collections.abc import Callable
from random import Random

from support.fuzz.cases import JOBS_PATH, Case, Cases, Target, request, with_json
from support.label_maps import png

MAP = base64.b64encode(png([[0, 1], [2, 3]])).decode()
BODY = {"params": {"model": "landscape"}, "label_maps": [{"file": "a.png", "content": MAP}]}
NUMBERS = (
    "NaN",
    "-Infinity",
    "1e400",
    "-0",
    "9" * 5000,
    "1e-400",
    "0x10",
    "1.",
    "007",
    "1" + "0" * 309,
    "9007199254740993",
)
TEXTS = ("\\ud800", "\\udc00\\ud800", "\\u0000", "\\uD83D\\uDCA9", "\\x41", "\\", "a" * 200_000, "\x01")
KEYS = (
    "inputs/",
    "inputs/../secret",
    "/etc/passwd",
    "inputs//a",
    "jobs/x/job.json",
    "inputs/\x00",
    "inputs/" + "a" * 5000,
    "inputs/./a",
    "inputs/\u202e",
    "inputs/a?b#c",
    "inputs/%2e%2e/a",
)
VALUES = (None, True, -1, 0, 1.5, "", "a", [], {}, [[]], {"a": 1}, 2**64, "\U0001f4a9" * 300)


def deep(random: Random) -> bytes:
    depth = random.choice((100, 1000, 100_000))
    opening, closing = random.choice((("[", "]"), ('{"a":', "}")))
    return (opening * depth + "1" + closing * random.choice((0, depth))).encode()


def numbers(random: Random) -> bytes:
    name = random.choice(("seed", "variations", "quality", "deadline_seconds"))
    return json.dumps(BODY).replace('"landscape"', f'"landscape", "{name}": {random.choice(NUMBERS)}').encode()


def texts(random: Random) -> bytes:
    text = random.choice(TEXTS)
    place = random.choice(('"landscape"', '"a.png"', f'"{MAP}"', '"model"', '"params"'))
    return json.dumps(BODY).replace(place, f'"{text}"').encode()


def labels(random: Random) -> bytes:
    keys = (*("a" * length for length in (0, 63, 64, 5000)), "\ud800", "\0", "é", "a b")
    many = {f"k{index}": "v" * random.choice((1, 255, 256)) for index in range(random.choice((1, 16, 17, 2000)))}
    return json.dumps({**BODY, "params": {"model": "landscape", "labels": {**many, random.choice(keys): "v"}}}).encode()


def duplicate_keys(random: Random) -> bytes:
    return (
        b'{"params": {"model": "landscape", "model": "x"}, ' * random.choice((1, 1, 50)) + json.dumps(BODY)[1:].encode()
    )


def other_types(random: Random) -> bytes:
    body = json.loads(json.dumps(BODY))
    inner = random.choice((body, body["params"], body["label_maps"][0]))
    inner[random.choice((*inner, "extra", "prefix", "palette_csv", "label_map_keys", "instance_maps"))] = random.choice(
        VALUES
    )
    return json.dumps(body).encode()


def base64_text(random: Random) -> bytes:
    content = random.choice(
        (
            "",
            "=",
            "a",
            "%%%%",
            MAP[:-3],
            MAP + "=",
            MAP.replace("A", "é"),
            base64.b64encode(random.randbytes(99)).decode(),
            MAP + "\n",
        )
    )
    return json.dumps(
        {**BODY, "label_maps": [{"file": random.choice(("a.png", "../b", "\0", "a" * 300)), "content": content}]}
    ).encode()


def object_keys(random: Random) -> bytes:
    name = random.choice(("label_map_keys", "prefix", "instance_map_keys"))
    key = random.choice(KEYS)
    return json.dumps(
        {"params": BODY["params"], name: key if name == "prefix" else [key] * random.choice((1, 1, 1500))}
    ).encode()


def encodings(random: Random) -> bytes:
    text = json.dumps(BODY)
    return random.choice(
        (
            text.encode("utf-16"),
            text.encode("utf-32"),
            b"\xef\xbb\xbf" + text.encode(),
            text.encode("cp500"),
            b"\xff" * 100,
            b"",
            text.encode()[:-1],
            text.encode() * 2,
        )
    )


def many_maps(random: Random) -> bytes:
    return json.dumps({**BODY, "label_maps": BODY["label_maps"] * random.choice((999, 1001))}).encode()


MAKERS: tuple[Callable[[Random], bytes], ...] = (
    *(deep, numbers, texts, labels, duplicate_keys, other_types, base64_text, object_keys, encodings, many_maps),
)
CONTENT_TYPES = (
    "",
    "text/plain",
    "application/xml",
    "application/json; charset=utf-7",
    "APPLICATION/JSON",
    "application/x-www-form-urlencoded",
    "a" * 1000,
    "multipart/mixed",
    "application/json\xff",
)


def cases(random: Random, _: Target) -> Cases:
    while True:
        for make in MAKERS:
            yield Case(category="json", name=make.__name__, data=with_json(random, make(random)))
        headers = {"Content-Type": random.choice(CONTENT_TYPES), "Content-Encoding": random.choice(("", "gzip", "br"))}
        data = request("POST", JOBS_PATH, json.dumps(BODY).encode(), headers=headers)
        yield Case(category="json", name="content_types", data=data)


def heavy_cases(random: Random, _: Target) -> Cases:
    """Bodies of a hundred megabytes, by an announced length or in chunks."""
    large = b"a" * (100 * 2**20)
    bodies = {
        "long text": b'{"params": {"model": "landscape"}, "label_maps": [{"file": "a", "content": "' + large + b'"}]}',
        "long number": b'{"params": {"seed": ' + b"9" * len(large) + b"}}",
        "long name": b'{"' + large + b'": 1}',
        "many lists": b'{"label_map_keys": [' + b"[]," * (20 * 2**20) + b"[]]}",
    }
    while True:
        for name, body in bodies.items():
            yield Case(category="large bodies", name=name, data=with_json(random, body), may_cut=True)
