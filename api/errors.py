"""What the HTTP side itself refuses. `api.problems` says which status each class means."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a request: which file or parameter, a stable code, and what would be right."""

    code: str
    detail: str
    file: str | None = None
    parameter: str | None = None
    offenders: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The members that say something, as a problem lists them."""
        values = {"file": self.file, "parameter": self.parameter, "code": self.code, "detail": self.detail}
        members = {name: value for name, value in values.items() if value is not None}
        return {**members, "offenders": list(self.offenders)} if self.offenders else members


class PlacedFault(Protocol):
    """A `Fault`, or what a client has read of one."""

    @property
    def file(self) -> str | None: ...
    @property
    def parameter(self) -> str | None: ...
    @property
    def detail(self) -> str: ...


def fault_text(fault: PlacedFault) -> str:
    """One line: where, if anywhere, and what is wrong."""
    where = fault.file or fault.parameter
    return f"{where}: {fault.detail}" if where else fault.detail


class ApiError(Exception):
    """Base of what the HTTP side refuses."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RefusedError(ApiError):
    """A request with faults; nothing of it was stored or queued."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(fault_text(faults[0]) + more)
        self.faults = tuple(faults)


class ParametersRefusedError(RefusedError):
    """Parameters that are unknown, malformed or do not fit the model."""


class FilesRefusedError(RefusedError):
    """Label maps, instance maps or palettes that cannot be used."""


class UnsupportedContentError(ApiError):
    """A request body of a type that is not read."""


class MalformedHeadError(ApiError):
    """A request line or header fields that are no HTTP."""


class MalformedBodyError(ApiError):
    """A request body that is not what its content type says."""


class PictureNotReadyError(ApiError):
    """The item has no picture (yet)."""


class JobNotFinishedError(ApiError):
    """The job has not ended, and what was asked for exists only of those that have."""


class BusyError(ApiError):
    """The process does as much of this kind at a time as it may."""


class BeingSubmittedError(ApiError):
    """Another request is submitting a job with this id right now."""


class KeyReusedError(ApiError):
    """An Idempotency-Key that came with another request before."""


class SubmissionUncertainError(ApiError):
    """The queue went away while it took a job, so that nobody knows whether it has it."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"the queue went away while it took job {job_id!r}, which may be queued or not; ask for the job before "
            "sending it again; one with an id of your own (PUT) or an Idempotency-Key may simply be sent again"
        )


class KeyRefusedError(ApiError):
    """A request without an API key, or with one that is not valid; `sent` tells which."""

    def __init__(self, detail: str, *, sent: bool = False) -> None:
        super().__init__(detail)
        self.challenge = 'Bearer realm="spade-serving"' + (', error="invalid_token"' if sent else "")


class ScopeMissingError(ApiError):
    """A request with an API key that is for something else."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"the API key is not for this: it needs the scope '{scope}'")
        self.challenge = f'Bearer realm="spade-serving", error="insufficient_scope", scope="{scope}"'


class RateLimitedError(ApiError):
    """More requests with an API key than it may make."""

    def __init__(self, *, rate: str, retry_after_seconds: int) -> None:
        super().__init__(
            f"the API key may make {rate} requests; the next one is let through in {retry_after_seconds} s"
        )
        self.retry_after_seconds = retry_after_seconds


class NotReadyError(ApiError):
    """A part that the service needs does not answer. `checks` maps each part to `ok` or `away`."""

    def __init__(self, checks: dict[str, str]) -> None:
        away = ", ".join(name for name, result in checks.items() if result != "ok")
        super().__init__(f"not ready: {away} does not answer")
        self.checks = checks
