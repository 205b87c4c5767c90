"""Traces by OpenTelemetry, sent by OTLP over HTTP from a thread of their own. Needs the extra [traces].

Names are those of OpenTelemetry's conventions for HTTP and messaging where there are some, and begin with `spade.`
elsewhere. The batch that an item was computed in is told by attributes of the item: a span of the batch would belong to
the traces of many.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from workers.logs import without_secrets
from workers.messages import Batch, ClaimedItem
from workers.trace_settings import TraceSettings
from workers.traces import TRACED_ITEMS, Ending, Service, Span, Stage, Traces

_QUEUE_SPANS: Final = 8192
"""That wait to be sent; beyond them the oldest are thrown away, so that a receiver that is away costs no more."""
_SEND_SECONDS: Final = 5.0
_INTERVAL_MS: Final = 1000
_STOP_SECONDS: Final = 3.0
_WITH_PICTURE: Final = (Ending.PUBLISHED, Ending.COPIED)
_NOT_AN_ERROR: Final = (*_WITH_PICTURE, Ending.RELEASED, Ending.POSTPONED)
_SCOPE: Final = InstrumentationScope("spade")
_W3C: Final = TraceContextTextMapPropagator()


def start_otlp_traces(settings: TraceSettings, service: Service) -> Traces:
    """Traces that are sent to the settings' endpoint."""
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # one line for what was not sent, not one for each try
    exporter = OTLPSpanExporter(endpoint=f"{settings.endpoint.rstrip('/')}/v1/traces", timeout=_SEND_SECONDS)
    processor = BatchSpanProcessor(exporter, max_queue_size=_QUEUE_SPANS, schedule_delay_millis=_INTERVAL_MS)
    return OtlpTraces(processor, service=service, ratio=settings.ratio)


class OtlpTraces(Traces):
    """Spans that go to `processor`. `ratio` is the share of traces that are kept of those that nobody began before."""

    def __init__(self, processor: SpanProcessor, *, service: Service, ratio: float = 1.0) -> None:
        resource = Resource.create({"service.name": service.value, "service.version": version("spade-serving")})
        sampler = ParentBased(TraceIdRatioBased(ratio))
        self._provider = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(_SCOPE.name)
        self._processor = processor
        self._ids = RandomIdGenerator()

    def request(self, method: str, route: str, traceparent: str | None) -> Span:
        """As `Traces` says."""
        attributes = {"http.request.method": method, "http.route": route}
        span = self._tracer.start_span(
            f"{method} {route}", context=_parent(traceparent), kind=SpanKind.SERVER, attributes=attributes
        )
        return _OtlpSpan(self._tracer, span)

    def attempt(
        self, batch: Batch, item: ClaimedItem, stages: Sequence[Stage], outcome: Ending, *, detail: str = ""
    ) -> None:
        """As `Traces` says."""
        is_whole = item.index < TRACED_ITEMS
        if not is_whole and outcome in _WITH_PICTURE:
            return
        since_epoch = time.time() - time.perf_counter()
        began = batch.claimed_at - item.waited_ms / 1000
        span = self._tracer.start_span(
            "item",
            context=_parent(item.traceparent),
            kind=SpanKind.CONSUMER,
            start_time=_nanoseconds(since_epoch + began),
            attributes=_attributes(batch, item, outcome),
        )
        if is_whole and span.is_recording():
            for stage in (Stage(name="wait", began=began, ended=batch.claimed_at), *stages):
                self._add_stage(span.get_span_context(), stage, since_epoch)
        if outcome not in _NOT_AN_ERROR:
            span.set_status(Status(StatusCode.ERROR, without_secrets(detail)))
        span.end()

    def _add_stage(self, item: trace.SpanContext, stage: Stage, since_epoch: float) -> None:
        """Made without the tracer, which would ask for each whether it is wanted: they are most of all spans."""
        span = ReadableSpan(
            stage.name,
            context=trace.SpanContext(item.trace_id, self._ids.generate_span_id(), False, item.trace_flags),
            parent=item,
            resource=self._provider.resource,
            attributes={},
            start_time=_nanoseconds(since_epoch + stage.began),
            end_time=_nanoseconds(since_epoch + stage.ended),
            instrumentation_scope=_SCOPE,
        )
        self._processor.on_end(span)

    def stop(self) -> None:
        """As `Traces` says. OpenTelemetry waits for half a minute, so a thread does that for which nobody waits."""
        stopping = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        stopping.start()
        stopping.join(_STOP_SECONDS)


class _OtlpSpan(Span):
    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span
        context = span.get_span_context()
        self.trace_id = trace.format_trace_id(context.trace_id)
        self.traceparent = f"00-{self.trace_id}-{trace.format_span_id(context.span_id)}-{context.trace_flags:02x}"

    def child(self, name: str, *, is_producer: bool = False) -> Span:
        kind = SpanKind.PRODUCER if is_producer else SpanKind.INTERNAL
        context = trace.set_span_in_context(self._span)
        return _OtlpSpan(self._tracer, self._tracer.start_span(name, context=context, kind=kind))

    def note(self, attributes: Mapping[str, str | int]) -> None:
        self._span.set_attributes(attributes)

    def end(self, *, error: str = "") -> None:
        if error:
            self._span.set_status(Status(StatusCode.ERROR, without_secrets(error)))
        self._span.end()


def _parent(traceparent: str | None) -> Context:
    """What a `traceparent` stands for; nothing, so that a trace begins, where there is none or it cannot be read."""
    return _W3C.extract({} if traceparent is None else {"traceparent": traceparent}, context=Context())


def _attributes(batch: Batch, item: ClaimedItem, outcome: Ending) -> dict[str, str | int]:
    return {
        "messaging.system": "spade",
        "messaging.operation.type": "process",
        "messaging.destination.name": batch.model,
        "messaging.message.id": item.id,
        "messaging.batch.message_count": len(batch.items),
        "spade.job.id": item.job_id,
        "spade.item.index": item.index,
        "spade.attempt": item.attempt,
        "spade.model": f"{batch.model}@{batch.model_version}",
        "spade.outcome": outcome.value,
        **({} if item.request_id is None else {"spade.request.id": item.request_id}),
    }


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
