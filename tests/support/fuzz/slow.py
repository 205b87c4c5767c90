"""Clients that send a little now and then, or nothing more, or do not read, while others want to be served."""

import contextlib
import selectors
import socket
import time
from random import Random

from support.fuzz.answers import CUT, Answer, read_answer
from support.fuzz.cases import JOBS_PATH, Case, Target, request

STEP_SECONDS = 0.5
KINDS = ("silent", "half a head", "dripped head", "half a body", "dripped body", "chunks", "does not read")


def slow_clients(port: int, count: int, *, seconds: float, random: Random, target: Target) -> list[tuple[Case, Answer]]:
    """Connect `count` clients at once, let each be slow for up to `seconds`, and tell what they were answered."""
    with contextlib.ExitStack() as open_until_then:
        clients = []
        for index in range(count):
            kind = KINDS[index % len(KINDS)]
            connection = open_until_then.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            client = _Client(kind, connection, target)
            clients.append(client)
        until = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            for client in clients:
                selector.register(client.connection, selectors.EVENT_READ, client)
            while selector.get_map() and time.monotonic() < until:
                for key, _ in selector.select(STEP_SECONDS):
                    key.data.hear()
                    selector.unregister(key.fileobj)
                for key in [*selector.get_map().values()]:
                    key.data.drip(random)
        return [(client.case, client.answer or Answer(status=CUT)) for client in clients]


class _Client:
    def __init__(self, kind: str, connection: socket.socket, target: Target) -> None:
        self.connection = connection
        self.case = Case(category="slow clients", name=kind, data=b"", may_cut=True)
        self.answer: Answer | None = None
        self._kind = kind
        json_head = {"Content-Type": "application/json"}
        self._send(
            {
                "silent": b"",
                "half a head": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ",
                "dripped head": b"GET /livez HTTP/1.1\r\n",
                "half a body": request("POST", JOBS_PATH, b"{", headers=json_head, length=100),
                "dripped body": request("POST", JOBS_PATH, b"{", headers=json_head, length=10**6),
                "chunks": request("POST", JOBS_PATH, headers={**json_head, "Transfer-Encoding": "chunked"}),
                "does not read": request("GET", f"{JOBS_PATH}/{target.ended_job}/archive") * 20,
            }[kind]
        )

    def drip(self, random: Random) -> None:
        """Send a little more."""
        match self._kind:
            case "dripped head":
                self._send(f"X-{random.randrange(10**6)}: a\r\n".encode())
            case "dripped body":
                self._send(b" ")
            case "chunks":
                self._send(b"1\r\n \r\n")

    def hear(self) -> None:
        """Read what came."""
        self.connection.settimeout(10)
        try:
            self.answer = read_answer(self.connection)
        except TimeoutError:
            self.answer = Answer(status=CUT, fault="an answer without an end")

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.sendall(data)
