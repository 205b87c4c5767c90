"""Receivers of webhooks: a real HTTP server that checks signatures with the library and answers as a test likes."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_" + "c3BhZGVz" * 5
OTHER_SECRET = "whsec_" + "b3RoZXJz" * 5

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(kw_only=True)
class Receiver:
    """`messages` are (webhook-id, body), in the order in which they came; `answers` are used up before `otherwise`."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    otherwise: Answer = lambda handler: reply(handler, 204)
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [message_id for message_id, _ in self.messages]

    def take(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        headers = dict(handler.headers)
        message = Webhook(SECRET).verify(body, headers)  # raises, so that nothing is answered, where it is not ours
        self.headers.append(headers)
        self.paths.append(handler.path)
        self.messages.append((handler.headers["webhook-id"], message))
        answer = self.answers.pop(0) if self.answers else self.otherwise
        answer(handler)


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """A whole answer."""
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def answering(status: int, **headers: str) -> Answer:
    """Answers so."""
    return lambda handler: reply(handler, status, **headers)


def hanging(until: threading.Event) -> Answer:
    """Answers nothing."""
    return lambda _: (until.wait(60), None)[1]


def trickling(until: threading.Event) -> Answer:
    """Sends a byte of a header now and then, so that something always comes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not until.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    """An answer whose body never ends."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 2**16)


@contextmanager
def receiving(*, certificate: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver on 127.0.0.1."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                receiver.take(self, self.rfile.read(int(self.headers["Content-Length"])))
            except OSError:  # the service has left
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        server.socket = certificate.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    receiver.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}/hook?a=b"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()
