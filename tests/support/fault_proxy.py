"""A proxy before the object store that answers wrongly, late or by halves when it is told to."""

import re
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Final

from deploy.local.ports import LOOPBACK

_CHUNK: Final = 2**16
_SLOW_SECONDS: Final = 1.5
_IDLE_SECONDS: Final = 60.0
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)


class Mode(StrEnum):
    """What becomes of a request."""

    PASS = "pass"
    ERROR = "500"
    UNAVAILABLE = "503"
    SLOW = "slow"
    CUT_ANSWER = "half an answer"
    CUT_REQUEST = "half a request"


class FaultProxy(socketserver.ThreadingTCPServer):
    """Listens on a free port of 127.0.0.1 and passes on to `upstream_port`; `mode` may change at any time."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, upstream_port: int) -> None:
        super().__init__((LOOPBACK, 0), _Connection)
        self.upstream_port = upstream_port
        self.mode = Mode.PASS
        self.undeletable = b""  # deletions that name this are refused
        self.unanswered = b""  # deletions that name this are not answered
        self.unreadable = b""  # reads of keys that have this in them are refused
        self.struck: Counter[Mode] = Counter()
        self.hanging = threading.Event()  # set once a request was not answered
        self.pause = threading.Event()

    @property
    def endpoint(self) -> str:
        """host:port, as the service is told."""
        return f"{LOOPBACK}:{self.server_address[1]}"

    @contextmanager
    def serving(self) -> Iterator["FaultProxy"]:
        """Serve in a thread while the body runs."""
        threading.Thread(target=self.serve_forever, name="proxy", daemon=True).start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()

    def refuses(self, head: bytes, request: bytes) -> bool:
        """Whether this is about an object that is to make trouble for ever."""
        if head.startswith((b"DELETE", b"POST")):
            return bool(self.undeletable) and self.undeletable in request
        path = head.partition(b"?")[0].partition(b" HTTP/")[0]
        return bool(self.unreadable) and head.startswith(b"GET") and self.unreadable in path

    def handle_error(self, *_: object) -> None:
        """Connections break; that is what they are here for."""


class _Connection(socketserver.BaseRequestHandler):
    server: FaultProxy

    def handle(self) -> None:
        with suppress(OSError), socket.create_connection((LOOPBACK, self.server.upstream_port), 5) as upstream:
            for side in (self.request, upstream):
                side.settimeout(_IDLE_SECONDS)
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._exchange(upstream):
                pass

    def _exchange(self, upstream: socket.socket) -> bool:
        """One request and its answer; False when the connection is to end."""
        head, body = _read_head(self.request)
        if not head:
            return False
        request = head + _read_rest(self.request, head, body)
        mode = self.server.mode
        if mode is not Mode.PASS:
            self.server.struck[mode] += 1
        elif self.server.refuses(head, request):
            mode = Mode.UNAVAILABLE
        if self.server.unanswered and head.startswith((b"DELETE", b"POST")) and self.server.unanswered in request:
            self.server.hanging.set()
            self.server.pause.wait(_IDLE_SECONDS)
            return False
        match mode:
            case Mode.ERROR | Mode.UNAVAILABLE:
                answer = f"HTTP/1.1 {mode} Trouble\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                self.request.sendall(answer.encode())
                return False
            case Mode.CUT_REQUEST:
                upstream.sendall(request[: len(request) // 2])
                return False
            case Mode.SLOW:
                self.server.pause.wait(_SLOW_SECONDS)
        upstream.sendall(request)
        answer_head, begun = _read_head(upstream)
        if not answer_head:
            return False
        has_body = (
            not head.startswith(b"HEAD ") and b" 204 " not in answer_head[:16] and b" 304 " not in answer_head[:16]
        )
        answer = answer_head + (_read_rest(upstream, answer_head, begun) if has_body else b"")
        if mode is Mode.CUT_ANSWER:
            self.request.sendall(answer[: len(answer) - max(1, len(answer) // 4)])
            return False
        self.request.sendall(answer)
        return not re.search(rb"\r\nconnection: *close", answer_head + head, re.IGNORECASE)


def _read_head(side: socket.socket) -> tuple[bytes, bytes]:
    """A message's head, and what came with it of its body; nothing at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = side.recv(_CHUNK)
        if not chunk:
            return b"", b""
        data += chunk
    head, separator, body = data.partition(b"\r\n\r\n")
    return head + separator, body


def _read_rest(side: socket.socket, head: bytes, body: bytes) -> bytes:
    """The body, of which `body` has come already."""
    if length := _LENGTH.search(head):
        parts, missing = [body], int(length[1]) - len(body)
        while missing > 0:
            chunk = side.recv(_CHUNK)
            if not chunk:
                raise ConnectionResetError("the other side left")
            parts.append(chunk)
            missing -= len(chunk)
        return b"".join(parts)
    while _CHUNKED.search(head) and not body.endswith(b"0\r\n\r\n"):
        chunk = side.recv(_CHUNK)
        if not chunk:
            raise ConnectionResetError("the other side left")
        body += chunk
    return body
