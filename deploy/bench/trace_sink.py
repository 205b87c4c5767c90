"""A receiver of spans that throws them away, in a process of its own: `python -m deploy.bench.trace_sink PORT`.

It says on GET how many bytes it was sent.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx

from deploy.local.child import Program
from deploy.local.ports import LOOPBACK
from deploy.local.services import answers


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSink(Program):
    """The process, on 127.0.0.1."""

    port: int
    service: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        return "trace-sink"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def command(self) -> list[str]:
        return [sys.executable, "-P", "-m", "deploy.bench.trace_sink", str(self.port)]

    def environment(self) -> Mapping[str, str]:
        return self.service

    def prepare(self) -> None:
        pass

    def is_ready(self) -> bool:
        return answers(self.url)

    def received_bytes(self) -> int:
        """Since it was started."""
        return int(httpx.get(self.url, trust_env=False).text)


class _Sink(BaseHTTPRequestHandler):
    received = 0

    def do_POST(self) -> None:
        _Sink.received += len(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(str(_Sink.received).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it is to cost as little as can be."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    HTTPServer((LOOPBACK, int(sys.argv[1])), _Sink).serve_forever()
