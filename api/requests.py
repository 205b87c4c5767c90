"""What every request gets: an id, a line in the log, a measurement, and headers that keep browsers careful."""

import logging
import re
import time
from typing import Final

from flask import Flask, Response, g, request
from ulid import ULID

from api.metrics import ApiMetrics

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

_log = logging.getLogger(__name__)


def register_request_handling(app: Flask, metrics: ApiMetrics) -> None:
    """Number, measure and log every request, and complete the headers of every response."""

    @app.before_request
    def begin() -> None:
        sent = request.headers.get(REQUEST_ID_HEADER, "")
        g.request_id = sent if SANE_ID.fullmatch(sent) else str(ULID())
        g.started = time.perf_counter()

    @app.after_request
    def complete(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = g.request_id
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.is_secure:  # by our own connection, or because a trusted proxy said so
            response.headers["Strict-Transport-Security"] = TRANSPORT_POLICY
        seconds = time.perf_counter() - g.started
        route = request.url_rule.rule if request.url_rule else "unmatched"
        metrics.observe(method=request.method, route=route, status=response.status_code, seconds=seconds)
        fields = {
            "request_id": g.request_id,
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "seconds": round(seconds, 6),
        }
        if (caller := g.get("caller")) is not None and caller.key is not None:
            fields["key"] = caller.key.id
        _log.info("request", extra=fields)
        return response
