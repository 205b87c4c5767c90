"""Other web sites whose pages may use the API: those that the operator lists, and by default none."""

from collections.abc import Collection
from typing import Final

from flask import Flask, Response, request

ALLOWED: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Prefer, X-Request-Id, traceparent"
    ),
    "Access-Control-Expose-Headers": (
        "Content-Disposition, ETag, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, "
        "Server-Timing, WWW-Authenticate, X-Request-Id"
    ),
    "Access-Control-Max-Age": "600",
}


def register_cors(app: Flask, origins: Collection[str]) -> None:
    """Tell browsers that pages of exactly these origins may use the API.

    They have to send a key like any client: nothing here is done by cookies, so no credentials are allowed.
    """

    @app.after_request
    def allow(response: Response) -> Response:
        if not origins:
            return response
        response.vary.add("Origin")
        if (origin := request.headers.get("Origin")) in origins:
            response.headers["Access-Control-Allow-Origin"] = origin or ""
            response.headers["Timing-Allow-Origin"] = origin or ""
            response.headers.update(ALLOWED)
        return response
