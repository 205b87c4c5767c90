"""Every error as `application/problem+json` (RFC 9457). One table says which error means which status and type."""

import json
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response, g, request
from gunicorn.http.errors import (  # type: ignore[import-untyped]  # gunicorn has no types
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.exceptions import HTTPException

from api import errors
from model_store.errors import UnknownModelError, UnusableModelError
from workers.errors import (
    JobExistsError,
    JobExpiredError,
    JobUnknownError,
    ObjectMissingError,
    QueueFullError,
    QueueUnavailableError,
    StorageQuotaError,
    StorageUnavailableError,
)
from workers.logs import without_secrets

CONTENT_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:spade-serving:problem:"
MAX_FAULTS: Final = 100
UNAVAILABLE_RETRY_SECONDS: Final = 5
TRY_AGAIN: Final = "a part that the service needs is away, and nothing was accepted or changed; try again shortly"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a class of errors looks like to a client."""

    status: int
    slug: str
    title: str
    retry_after_seconds: int | None = None
    detail: str | None = None
    """Said instead of the error's own text, which names addresses; that goes to the log."""


KINDS: Final[dict[type[Exception], Kind]] = {
    errors.MalformedHeadError: Kind(400, "malformed-head", "The request's head cannot be read"),
    errors.MalformedBodyError: Kind(400, "malformed-body", "The request body cannot be read"),
    ParseException: Kind(400, "malformed-transfer", "The request body is not framed as its header says"),
    errors.KeyRefusedError: Kind(401, "key-required", "An API key is needed"),
    errors.ScopeMissingError: Kind(403, "scope-missing", "The API key is not for this"),
    StorageQuotaError: Kind(403, "storage-quota-exceeded", "The storage quota is used up"),
    LimitRequestLine: Kind(414, "path-too-long", "The path is too long", detail="path and query are to be shorter"),
    ExpectationFailed: Kind(417, "expectation-failed", "The expectation is not known", detail="leave out Expect"),
    LimitRequestHeaders: Kind(
        431, "head-too-large", "The request's head is too large", detail="send fewer and shorter header fields"
    ),
    UnknownModelError: Kind(404, "model-unknown", "No such model"),
    UnusableModelError: Kind(409, "model-unusable", "The model cannot be used"),
    JobUnknownError: Kind(404, "job-unknown", "No such job"),
    ObjectMissingError: Kind(404, "picture-missing", "The picture is no longer stored"),
    JobExistsError: Kind(409, "job-exists", "The id belongs to a job with another content"),
    errors.BeingSubmittedError: Kind(409, "being-submitted", "The job is being submitted by another request", 1),
    errors.PictureNotReadyError: Kind(409, "picture-not-ready", "The item has no picture"),
    errors.JobNotFinishedError: Kind(409, "job-not-finished", "The job has not ended"),
    JobExpiredError: Kind(410, "job-expired", "The job is no longer kept"),
    errors.UnsupportedContentError: Kind(415, "unsupported-content", "The content type is not read"),
    errors.ParametersRefusedError: Kind(422, "parameters-refused", "Parameters cannot be used"),
    errors.FilesRefusedError: Kind(422, "files-refused", "Files cannot be used"),
    errors.KeyReusedError: Kind(422, "idempotency-key-reused", "The key belongs to another request"),
    errors.RateLimitedError: Kind(429, "rate-limited", "Too many requests"),
    QueueFullError: Kind(429, "queue-full", "The queue is full"),
    QueueUnavailableError: Kind(
        503, "queue-unavailable", "The queue does not answer", UNAVAILABLE_RETRY_SECONDS, TRY_AGAIN
    ),
    errors.SubmissionUncertainError: Kind(
        503, "submission-uncertain", "The queue went away", UNAVAILABLE_RETRY_SECONDS
    ),
    StorageUnavailableError: Kind(
        503, "storage-unavailable", "The object store does not answer", UNAVAILABLE_RETRY_SECONDS, TRY_AGAIN
    ),
    errors.BusyError: Kind(503, "busy", "The service is doing as much as it can", UNAVAILABLE_RETRY_SECONDS),
    errors.NotReadyError: Kind(503, "not-ready", "The service is not ready", UNAVAILABLE_RETRY_SECONDS),
}
INTERNAL: Final = Kind(500, "internal-error", "An error of the service itself")
KEPT_HEADERS: Final = ("Allow", "Retry-After")


class Offender(BaseModel):
    """A value that may not occur in a label map."""

    value: int | str = Field(description="Class id, or colour as #rrggbb")
    count: int = Field(description="Pixels with this value")
    box: tuple[int, int, int, int] = Field(description="left, top, right, bottom; right and bottom one past the last")


class ProblemFault(BaseModel):
    """One thing that is wrong."""

    file: str | None = None
    parameter: str | None = None
    code: str
    detail: str
    offenders: list[Offender] | None = None


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description=f"Stable name of the kind of error, beginning with {TYPE_PREFIX}")
    title: str
    status: int
    detail: str = Field(description="What is wrong this time, and what to change")
    instance: str = Field(description="Path of the request")
    request_id: str = Field(description="Also in the header X-Request-Id and in the service's logs")
    errors: list[ProblemFault] | None = Field(default=None, description=f"At most the first {MAX_FAULTS}")


def register_problems(app: Flask) -> None:
    """Answer every error of the application as a problem."""
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, answer)


def kind_of(error: Exception) -> Kind:
    """The table's entry for the error's class or its nearest base; `INTERNAL` if there is none."""
    return next((KINDS[base] for base in type(error).__mro__ if base in KINDS), INTERNAL)


def answer(error: Exception) -> Response:
    """The response for an error. Its text reaches the client only if its class is in the table."""
    kind = kind_of(error)
    if kind is INTERNAL:
        _log.error("unhandled error", exc_info=error, extra={"path": request.path})
        return _response(kind, "the service failed on this request; its logs have more under the request id")
    if kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("unavailable", extra={"error": str(error)})
    response = _response(kind, kind.detail or str(error), _extra_members(error))
    retry_after = kind.retry_after_seconds
    if isinstance(error, QueueFullError | errors.RateLimitedError):
        retry_after = error.retry_after_seconds
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if isinstance(error, errors.KeyRefusedError | errors.ScopeMissingError):
        response.headers["WWW-Authenticate"] = error.challenge
    return response


def describe(error: Exception, *, instance: str, request_id: str) -> dict[str, Any]:
    """The members of the problem for an error of the table, for where it cannot be the response."""
    kind = kind_of(error)
    return _members(kind, kind.detail or str(error), _extra_members(error), instance=instance, request_id=request_id)


def _answer_http(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return error  # a redirect of the router
    status = HTTPStatus(error.code)
    kind = Kind(status.value, status.phrase.lower().replace(" ", "-"), status.phrase)
    response = _response(kind, _http_detail(error))
    for name, value in error.get_headers():
        if name in KEPT_HEADERS:
            response.headers[name] = value
    return response


def _http_detail(error: HTTPException) -> str:
    match error.code:
        case HTTPStatus.NOT_FOUND:
            return f"there is nothing at {request.path}; /openapi.json lists what there is"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{request.path} does not answer {request.method}"
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            megabytes = (request.max_content_length or 0) // 2**20
            if request.mimetype == "application/json":
                return f"JSON may have {megabytes} MiB; send label maps as multipart/form-data, or several jobs"
            return f"a request may have {megabytes} MiB and {request.max_form_parts} parts; send several jobs"
    return error.description or ""


def _extra_members(error: Exception) -> dict[str, Any]:
    if isinstance(error, errors.RefusedError):
        return {"errors": [fault.to_json() for fault in error.faults[:MAX_FAULTS]]}
    if isinstance(error, StorageQuotaError):
        return {"used_bytes": error.used_bytes, "quota_bytes": error.quota_bytes}
    if isinstance(error, errors.NotReadyError):
        return {"checks": error.checks}
    return {}


def _members(
    kind: Kind, detail: str, extra: dict[str, Any] | None, *, instance: str, request_id: str
) -> dict[str, Any]:
    return {
        "type": TYPE_PREFIX + kind.slug,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": instance,
        "request_id": request_id,
        **(extra or {}),
    }


def _response(kind: Kind, detail: str, extra: dict[str, Any] | None = None) -> Response:
    members = _members(kind, detail, extra, instance=request.path, request_id=g.request_id)
    return Response(without_secrets(json.dumps(members)), status=kind.status, content_type=CONTENT_TYPE)
