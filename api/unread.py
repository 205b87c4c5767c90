"""Answers to requests that never reach the application, since their heads cannot be read."""

import json
import logging
from http import HTTPStatus
from typing import Final

from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]  # gunicorn has no types
from ulid import ULID

from api.errors import MalformedHeadError
from api.problems import CONTENT_TYPE, KINDS, describe
from api.requests import HEADERS, REQUEST_ID_HEADER

MAX_DETAIL: Final = 300

_log = logging.getLogger(__name__)


def answer_unread(error: ParseException) -> bytes:
    """The whole answer, a problem, after which the connection has to be closed."""
    request_id = str(ULID())
    text = str(error)[:MAX_DETAIL]
    _log.warning("request not read", extra={"request_id": request_id, "error": text})
    told = error if type(error) in KINDS else MalformedHeadError(text)
    problem = describe(told, instance="unknown", request_id=request_id)
    body = json.dumps(problem).encode()
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        REQUEST_ID_HEADER: request_id,
        **HEADERS,
    }
    status = HTTPStatus(problem["status"])
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
