"""What the service answered a client: good, wrong, or not now."""

from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from api.client_errors import ClientError
from api.errors import fault_text
from api.problems import Problem

_NOT_NOW: Final = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)

Answer = TypeVar("Answer", bound=BaseModel)


def is_for_later(response: httpx.Response) -> bool:
    """Whether it may be asked again; a conflict only if it passes by itself, as that with a request still going on.

    The object store, to which the service redirects for pictures, may fail now and then in any way.
    """
    is_passing = response.status_code == httpx.codes.CONFLICT and "Retry-After" in response.headers
    is_failed_store = bool(response.history) and response.is_server_error
    return is_passing or is_failed_store or response.status_code in _NOT_NOW


def retry_after(response: httpx.Response) -> float:
    """Seconds that the service asks to wait; 0 where it does not say."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def checked(response: httpx.Response) -> httpx.Response:
    """The response itself, if it is a good one. Raises `ClientError` with what the service says was wrong."""
    if response.is_success:
        return response
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError as error:
        raise ClientError(f"{response.url} answered {response.status_code} {response.reason_phrase}") from error
    faults = [fault_text(fault) for fault in problem.errors or []]
    raise ClientError("\n".join([f"{problem.title}: {problem.detail}", *faults[1:]]), problem=problem)


def parse(response: httpx.Response, answer: type[Answer]) -> Answer:
    """The response as a model of the API. Raises `ClientError` where it is none."""
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        raise ClientError(f"{response.url} did not answer as this service does; is the address right?") from error
