"""Pages of the job list: which jobs match, and an opaque cursor to go on from."""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from api.parameters import refuse_parameter
from workers.job_reader import JobReader
from workers.messages import JobView, State

MAX_EXAMINED: Final = 1000
"""Jobs that one request looks at; with a filter that matches few, pages come back short rather than late."""
EPOCH: Final = datetime.fromtimestamp(0, UTC)

Position = tuple[int, str]
"""When a job was created, in milliseconds, and its id: the order of the list."""


LabelFilter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,63}(=.{0,255})?$")]


class ListQuery(BaseModel):
    """Which jobs to list."""

    model_config = ConfigDict(extra="forbid")

    state: list[State] = Field(default_factory=list, description="May be repeated")
    model: str | None = Field(default=None, max_length=100, description="`name` or `name@version`")
    label: list[LabelFilter] = Field(
        default_factory=list, description="`KEY=VALUE`, or `KEY` for any value; repeated, all have to fit"
    )
    since: AwareDatetime | None = Field(default=None, description="Created at this time or later, RFC 3339")
    until: AwareDatetime | None = Field(default=None, description="Created at this time or earlier, RFC 3339")
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: str | None = Field(default=None, max_length=200, description="From `next` of the page before")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Jobs, and the cursor that leads to the page after; None at the end."""

    jobs: list[JobView]
    cursor: str | None


def read_page(reader: JobReader, owner: str, query: ListQuery) -> Page:
    """The page of an owner's jobs that the query asks for. Raises ParametersRefusedError for a foreign cursor."""
    before = _newest(query)
    jobs: list[JobView] = []
    for examined, job in enumerate(_since(reader.jobs(owner, before=before), query.since), start=1):
        if _matches(job, query):
            jobs.append(job)
        if len(jobs) == query.limit or examined == MAX_EXAMINED:
            return Page(jobs=jobs, cursor=_write_cursor((job.created_ms, job.id)))
    return Page(jobs=jobs, cursor=None)


def _newest(query: ListQuery) -> Position | None:
    """The position that all listed jobs come after."""
    limits = [] if query.cursor is None else [_read_cursor(query.cursor)]
    if query.until is not None:
        limits.append((_milliseconds(query.until) + 1, ""))
    return min(limits, default=None)


def _since(jobs: Iterator[JobView], since: datetime | None) -> Iterator[JobView]:
    for job in jobs:
        if since is not None and job.created_ms < _milliseconds(since):
            return
        yield job


def _matches(job: JobView, query: ListQuery) -> bool:
    names = (None, job.model, f"{job.model}@{job.model_version}")
    return (
        query.model in names
        and (not query.state or job.state in query.state)
        and all(_has_label(job, label) for label in query.label)
    )


def _has_label(job: JobView, label: str) -> bool:
    key, equals, value = label.partition("=")
    return key in job.labels and (not equals or job.labels[key] == value)


def _milliseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)  # exact, unlike timestamp()


def _write_cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def _read_cursor(text: str) -> Position:
    try:
        created_ms, job_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return int(created_ms), str(job_id)
    except (binascii.Error, ValueError, TypeError, OverflowError) as error:
        raise refuse_parameter("cursor", "cursor-malformed", "it is not one that this list gave out") from error
