"""A request of the fuzzer: the bytes that go over the connection, which nothing has to be right about."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

MAPS_PATH = "/v1/label-maps/validate"
JOBS_PATH = "/v1/jobs"
BOUNDARY = "fuzz-0123456789"


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a request may name that exists: two jobs, of which one has ended."""

    ended_job: str
    other_job: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """`may_cut`: the connection may end without an answer, since nobody can tell where such a request ends."""

    category: str
    name: str
    data: bytes
    may_cut: bool = False
    method: str = "POST"


Cases = Iterator[Case]


def request(
    method: str, path: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None, length: int | None = None
) -> bytes:
    """An HTTP/1.1 request. `path` and headers go out as they are; `length` may lie."""
    fields = {"Host": "localhost", "Connection": "close", **(headers or {})}
    if body or length is not None:
        fields["Content-Length"] = str(len(body) if length is None else length)
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def part(name: str, content: bytes, *, file: str | None = None, extra: str = "") -> bytes:
    """A part of a multipart body."""
    file_name = "" if file is None else f'; filename="{file}"'
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file_name}\r\n{extra}\r\n'.encode(
            "utf-8", "surrogateescape"
        )
        + content
        + b"\r\n"
    )


def form(*parts: bytes, end: bytes = f"--{BOUNDARY}--\r\n".encode()) -> bytes:
    """A multipart body."""
    return b"".join(parts) + end


def multipart(path: str, body: bytes, **options: object) -> bytes:
    """A multipart request."""
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return request("POST", path, body, headers=headers, **options)  # type: ignore[arg-type]


def with_file(random: Random, content: bytes, *, file: str = "a.png") -> bytes:
    """A request that sends one file as the label map, to be checked or to be queued."""
    params = part("params", json.dumps({"model": "landscape"}).encode())
    path = random.choice((MAPS_PATH, MAPS_PATH, JOBS_PATH))
    return multipart(path, form(params, part("label_map", content, file=file)))


def with_json(random: Random, text: bytes) -> bytes:
    """A request with such a JSON body."""
    path = random.choice((MAPS_PATH, JOBS_PATH))
    return request("POST", path, text, headers={"Content-Type": "application/json"})
