"""What every request gets: an id, a line in the log, a measurement, and headers that keep browsers careful."""

import logging
import re
from typing import Final

from flask import Flask, Response, g, request
from ulid import ULID

from api.metrics import ApiMetrics
from api.timing import HEADER as SERVER_TIMING
from api.timing import RequestTimes, times
from workers.logs import keep_in_log
from workers.traces import NO_SPAN, Span, Traces

REQUEST_ID_HEADER: Final = "X-Request-Id"
SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
NO_CONTENT_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
TRANSPORT_POLICY: Final = "max-age=31536000"
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": NO_CONTENT_POLICY,
    "Cache-Control": "no-store",
}
"""Headers of every answer that does not set them itself."""
TRACED: Final = "/v1/"
"""Routes of which there are traces begin with this: probes would drown the others."""

_log = logging.getLogger(__name__)


def register_request_handling(app: Flask, metrics: ApiMetrics, traces: Traces) -> None:
    """Number, measure, trace and log every request, and complete the headers of every response."""

    @app.before_request
    def begin() -> None:
        sent = request.headers.get(REQUEST_ID_HEADER, "")
        g.request_id = sent if SANE_ID.fullmatch(sent) else str(ULID())
        g.times = RequestTimes(_span(traces))
        # They stay until the next request of this thread: also what is logged while a body is streamed belongs to this.
        traced = {} if g.times.span.trace_id is None else {"trace_id": g.times.span.trace_id}
        keep_in_log(request_id=g.request_id, **traced)

    @app.after_request
    def complete(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = g.request_id
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.is_secure:  # by our own connection, or because a trusted proxy said so
            response.headers["Strict-Transport-Security"] = TRANSPORT_POLICY
        seconds = times().seconds
        response.headers[SERVER_TIMING] = times().header()
        route = request.url_rule.rule if request.url_rule else "unmatched"
        key = caller.key.id if (caller := g.get("caller")) is not None and caller.key is not None else None
        metrics.observe(method=request.method, route=route, status=response.status_code, seconds=seconds, key=key)
        fields = {
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "seconds": round(seconds, 6),
        }
        if key is not None:
            fields["key"] = key
        _log.info("request", extra=fields)
        times().end(response)
        return response


def _span(traces: Traces) -> Span:
    if request.url_rule is None or not request.url_rule.rule.startswith(TRACED):
        return NO_SPAN
    span = traces.request(request.method, request.url_rule.rule, request.headers.get("traceparent"))
    span.note({"spade.request.id": g.request_id})
    return span
