"""Heads of requests that are huge, many, or no HTTP."""

from random import Random

from support.fuzz.cases import JOBS_PATH, Case, Cases, Target, request

RAW = (
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
    b"GET / HTTP/1.1\r\n: empty\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    b"GET / HTTP/1.1\r\nA b: c\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"G\xc3\x89T / HTTP/1.1\r\n\r\n",
    b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 1e9\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nExpect: something\r\nContent-Length: 1\r\n\r\na",
    b"POST /v1/jobs HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET v1/jobs HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT localhost:22 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nHTTP2-Settings: x\r\n\r\n",
)
NAMES = (
    "Accept",
    "Prefer",
    "X-Request-Id",
    "If-None-Match",
    "Cookie",
    "Range",
    "X-Forwarded-For",
    "Content-Type",
    "Authorization",
)
VALUES = (
    "",
    " ",
    "a" * 8000,
    "a" * 9000,
    "\xff\xfe",
    "wait=99999999999999999999",
    "wait=-1",
    "wait=1e9",
    "wait=\xb2",
    ";;;,,,===",
    '"',
    "q=" * 500,
    "\t",
    "Basic \xff",
    "Bearer " + "a" * 5000,
    "${jndi:ldap://x}",
    "%0d%0a",
)


def cases(random: Random, _: Target) -> Cases:
    while True:
        kind = random.choice(("raw", "many", "value", "line", "noise"))
        may_cut = kind in ("raw", "noise")
        yield Case(category="heads", name=kind, data=_head(kind, random), may_cut=may_cut, method="GET")


def _head(kind: str, random: Random) -> bytes:
    match kind:
        case "raw":
            return random.choice(RAW)
        case "many":
            count = random.choice((90, 101, 1000))
            return request(
                "GET", JOBS_PATH, headers={f"X-{index}": "a" * random.choice((1, 300)) for index in range(count)}
            )
        case "value":
            return request("GET", JOBS_PATH, headers={random.choice(NAMES): random.choice(VALUES)})
        case "line":
            return request("GET", "/" + "a" * random.choice((4000, 4100, 9000, 70_000)))
        case _:
            return random.randbytes(random.randint(1, 300)) + b"\r\n\r\n"
