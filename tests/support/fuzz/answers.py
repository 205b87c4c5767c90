"""Sending bytes and reading what comes back, over plain sockets."""

import contextlib
import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

ANSWER_SECONDS = 60.0
MOST_BYTES = 64 * 2**20
CUT = 0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`status` is `CUT` where the connection ended without an answer, `fault` says what else was wrong with it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)  # by names in small letters
    body: bytes = b""
    fault: str | None = None


def ask(port: int, data: bytes, *, method: str = "GET", seconds: float = ANSWER_SECONDS) -> Answer:
    """Send a request that may be anything, and read the first answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(data)  # who is refused early may not get to say it all
                connection.shutdown(socket.SHUT_WR)
            return read_answer(connection, method)
    except TimeoutError:
        return Answer(status=CUT, fault=f"no answer within {seconds:g} s")


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    """The next answer on a connection. Raises TimeoutError."""
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
        body = response.read(MOST_BYTES)
    except TimeoutError:
        raise
    except http.client.IncompleteRead:
        return Answer(status=response.status, fault="the answer was cut short")
    except (http.client.HTTPException, OSError):
        return Answer(status=CUT)
    finally:
        response.close()
    return Answer(
        status=response.status,
        headers={name.lower(): value for name, value in response.getheaders()},
        body=body,
    )
