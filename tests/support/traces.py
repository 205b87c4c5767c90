"""Traces within reach of a test: kept in memory, or received by OTLP over HTTP as a collector does."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from support.receivers import reply
from workers.otlp import OtlpTraces
from workers.traces import Service


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A span as a test looks at it."""

    name: str
    service: str
    trace_id: str
    span_id: str
    parent_id: str
    began: int
    ended: int
    kind: str
    error: str | None  # None: it has not failed
    attributes: dict[str, str]


class Kept:
    """Traces of one process of the service, and what they have."""

    def __init__(self, service: Service, *, ratio: float = 1.0) -> None:
        self._exporter = InMemorySpanExporter()
        self.traces = OtlpTraces(SimpleSpanProcessor(self._exporter), service=service, ratio=ratio)

    def spans(self) -> list[Seen]:
        """Those that have ended, in the order in which they began."""
        return sorted(map(_seen, self._exporter.get_finished_spans()), key=lambda span: span.began)


def _seen(span: ReadableSpan) -> Seen:
    context, parent = span.get_span_context(), span.parent
    assert context is not None
    return Seen(
        name=span.name,
        service=str(span.resource.attributes["service.name"]),
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        parent_id="" if parent is None else f"{parent.span_id:016x}",
        began=span.start_time or 0,
        ended=span.end_time or 0,
        kind=span.kind.name.lower(),
        error=None if span.status.is_unset else span.status.description or "",
        attributes={key: str(value) for key, value in (span.attributes or {}).items()},
    )


def tree(spans: Sequence[Seen], parent_id: str) -> dict[str, object]:
    """What hangs from a span, by name; of several with one name the last."""
    return {span.name: tree(spans, span.span_id) for span in spans if span.parent_id == parent_id}


@dataclass(kw_only=True)
class Collector:
    """A receiver of OTLP."""

    url: str = ""
    paths: set[str] = field(default_factory=set)
    received: list[Seen] = field(default_factory=list)

    def take(self, path: str, body: bytes) -> None:
        self.paths.add(path)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = {pair.key: pair.value.string_value for pair in resource.resource.attributes}["service.name"]
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                self.received.append(
                    Seen(
                        name=span.name,
                        service=service,
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        began=span.start_time_unix_nano,
                        ended=span.end_time_unix_nano,
                        kind=str(span.kind),
                        error=span.status.message if span.status.code == span.status.STATUS_CODE_ERROR else None,
                        attributes={pair.key: pair.value.string_value for pair in span.attributes},
                    )
                )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A receiver on 127.0.0.1."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            reply(self, 200)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
