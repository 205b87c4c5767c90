"""Probes and metrics of a worker, from a thread of its own: a busy worker answers no Celery ping."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app


class HealthServer:
    """Serves `/livez` (the loop makes progress), `/readyz` (models are loaded) and `/metrics`."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        registry: CollectorRegistry,
        is_live: Callable[[], bool],
        is_ready: Callable[[], bool],
    ) -> None:
        self._probes = {"/livez": is_live, "/readyz": is_ready}
        self._metrics = make_wsgi_app(registry)
        self._server = make_server(host, port, self._answer, server_class=_Server, handler_class=_Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        if path in self._probes:
            good = self._probes[path]()
            start_response("200 OK" if good else "503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b"ok\n" if good else b"not ok\n"]
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"/livez, /readyz, /metrics\n"]


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection, so that one that says nothing holds up neither a probe nor the worker's end."""

    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = 10.0

    def handle(self) -> None:
        """Answer; a client that sends no request in time is let go."""
        with suppress(TimeoutError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Probes come every few seconds; they are not worth a line each."""
