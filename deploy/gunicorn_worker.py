"""A gunicorn worker whose threads are not for clients to keep.

gunicorn's threads read and write without any limit of time: as many clients as there are threads, each of which sends
half a request or takes half an answer, stop the service. So does one client at a time that does not close what has been
answered: gunicorn waits two seconds for that in the thread that accepts all others.
"""

import contextlib
import errno
import socket
import time
from collections import deque
from functools import partial
from selectors import EVENT_READ
from typing import Any, Final

from gunicorn.http.errors import (  # type: ignore[import-untyped]  # gunicorn has no types
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    ParseException,
)
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # as above

from api.services import stop_waiting
from api.unread import answer_unread

HEAD_SECONDS: Final = 3.0
"""For the rest of a request's head, which clients send in one piece."""
PATIENCE_SECONDS: Final = 15.0
LEAST_BYTES_PER_SECOND: Final = 16 * 1024
FAREWELL_SECONDS: Final = 2.0
"""For a client to read its answer and close; what it still sends is thrown away (RFC 9112, section 9.6)."""
FAREWELL_BYTES: Final = 2**16


class PatientSocket(socket.socket):
    """A connection that is cut when a thread has waited longer for its client than the bytes it got were worth."""

    __slots__ = ("_credit_seconds",)

    def allow(self, seconds: float) -> None:
        """Wait so long in all from now on, and longer for a client that sends something."""
        self._credit_seconds = seconds

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive as ever; `ConnectionResetError` for a client that is too slow."""
        timeout = self.gettimeout()
        if self._credit_seconds <= 0:
            raise _too_slow()
        began = time.monotonic()
        self.settimeout(self._credit_seconds if timeout is None else min(timeout, self._credit_seconds))
        try:
            data = super().recv(size, flags)
        except TimeoutError as error:
            if timeout is not None and timeout < self._credit_seconds:
                raise
            self._credit_seconds = 0
            raise _too_slow() from error
        finally:
            self.settimeout(timeout)
        earned = self._credit_seconds - (time.monotonic() - began) + len(data) / LEAST_BYTES_PER_SECOND
        self._credit_seconds = min(PATIENCE_SECONDS, earned)
        return data

    def sendall(self, data: Any, flags: int = 0, /) -> None:  # noqa: ANN401 - whatever has bytes
        """Send as ever; `ConnectionResetError` for a client that is too slow."""
        timeout = self.gettimeout()
        self.settimeout(PATIENCE_SECONDS + len(data) / LEAST_BYTES_PER_SECOND)
        try:
            super().sendall(data, flags)
        except TimeoutError as error:
            raise _too_slow() from error
        finally:
            self.settimeout(timeout)


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # as above
    """A threaded worker in which a connection gets a thread when it has sent something, and keeps it while it pays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as below
        super().__init__(*args, **kwargs)
        self._leaving: deque[Any] = deque()

    def enqueue_req(self, conn: Any) -> None:  # noqa: ANN401 - gunicorn has no types
        """Hand a connection to a thread; a new one waits for its first bytes without one, as gunicorn's deferred do."""
        if isinstance(conn.sock, PatientSocket):
            conn.sock.allow(HEAD_SECONDS)
            super().enqueue_req(conn)
            return
        conn.sock = PatientSocket(fileno=conn.sock.detach())
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def finish_request(self, conn: Any, fs: Any) -> None:  # noqa: ANN401 - as above
        """Keep a connection, or take leave of it without waiting here."""
        if fs.cancelled() or fs.exception() is not None or fs.result() is not False:
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self._hear_out, conn))
        except (OSError, ValueError):  # it is gone already
            self.nr_conns -= 1
            conn.close()
            return
        conn.timeout = time.monotonic() + FAREWELL_SECONDS
        self._leaving.append(conn)

    def _hear_out(self, conn: Any, client: socket.socket) -> None:  # noqa: ANN401 - as above
        """Throw away what a client still sends that has its answer; close when it is done."""
        with contextlib.suppress(OSError):
            if socket.socket.recv(client, FAREWELL_BYTES):
                return
        self._leaving.remove(conn)
        self._part_from(conn)

    def _part_from(self, conn: Any) -> None:  # noqa: ANN401 - as above
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        """Called every second at least: close what has waited too long, or has not closed by itself."""
        super().murder_pending()
        while self._leaving and self._leaving[0].timeout <= time.monotonic():
            self._part_from(self._leaving.popleft())

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:  # noqa: ANN401 - as above
        """Answer what cannot be read with a problem, as the application does; gunicorn has pages for people."""
        if not isinstance(exc, ParseException) or isinstance(exc, (InvalidResponseHeader, InvalidResponseHeaderName)):
            super().handle_error(req, client, addr, exc)
            return
        with contextlib.suppress(OSError):
            client.sendall(answer_unread(exc))

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ANN401 - as above
        """End gracefully: requests that wait, and streams of events, first, or else they would outlast the time."""
        if (app := getattr(self, "wsgi", None)) is not None:
            stop_waiting(app.extensions)
        super().handle_exit(sig, frame)

    def handle_request(self, req: Any, conn: Any) -> bool:  # noqa: ANN401 - as above
        """Run the application, which reads the body; gunicorn has read the head."""
        conn.sock.allow(PATIENCE_SECONDS)
        return bool(super().handle_request(req, conn))


def _too_slow() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "the client is too slow")
