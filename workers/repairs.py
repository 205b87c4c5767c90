"""What operators do to the job store, each call one atomic step in Redis like those of `workers.job_store`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from workers.job_store import spec_head
from workers.messages import ItemSpec, JobSpec, State
from workers.redis_client import PREFIX, RedisClient, translated_errors
from workers.scripts import Scripts


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredItem:
    """An item as it goes back into the job store: queued, or ended with what is known of it."""

    spec: ItemSpec
    state: State = State.QUEUED
    attempts: int = 0
    reason: str | None = None
    detail: str | None = None
    picture_key: str | None = None
    digest: str | None = None
    size_bytes: int | None = None
    timings: dict[str, float] = field(default_factory=dict)
    fence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredJob:
    """A job as it goes back. Times are Unix times in milliseconds."""

    spec: JobSpec
    items: tuple[RestoredItem, ...]
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    deadline_ms: int | None
    is_recorded: bool  # its final record is stored already
    newest_fence: int  # of its pictures; fences given from now on are above it


class RestoreAnswer(StrEnum):
    """What became of a job that was to be taken back."""

    RESTORED = "restored"
    EXISTS = "exists"
    GONE = "gone"
    RESERVED = "reserved"


class RetryAnswer(StrEnum):
    """What became of an item that was to be put back."""

    RETRIED = "retried"
    UNLIKE = "unlike"  # it has not ended that way, or does not exist
    LATE = "late"  # the deadline of its job is over


class Repairs:
    """Transitions that only operators ask for. Every method raises `QueueUnavailableError` when Redis is away."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._scripts = Scripts(client)

    def is_known(self, job_id: str) -> bool:
        """Whether the job store has the job."""
        with translated_errors():
            return self._client.hget(f"{PREFIX}job:{job_id}", "owner") is not None

    def restore(self, job: RestoredJob) -> tuple[RestoreAnswer, tuple[str, ...]]:
        """Take a job back whole unless it is known. Returns also the job if it turned out to have ended."""
        spec = job.spec
        answer = self._scripts.run(
            "restore",
            *(
                spec.id,
                spec.owner,
                spec.model,
                spec.bucket,
                spec.priority.rank,
                spec.pixels,
                _or_empty(job.deadline_ms),
            ),
            *(spec.picture_format, spec.picture_quality, spec_head(spec), spec.request_digest),
            *(job.created_ms, _or_empty(job.started_ms), _or_empty(job.finished_ms)),
            *(int(job.is_recorded), job.newest_fence),
            *_item_arguments(job.items),
        )
        return RestoreAnswer(answer[0]), tuple(answer[1]) if len(answer) > 1 else ()

    def retry(self, items: Sequence[tuple[str, str]]) -> list[RetryAnswer]:
        """Put ended items back with fresh losses and open their jobs again.

        Each is a pair: name of a dead letter and "", or name of a succeeded item and the key of its picture, which is
        gone.
        """
        answers = self._scripts.run("retry", *(value for item in items for value in item))
        return [RetryAnswer(answer) for answer in answers]


def _item_arguments(items: Sequence[RestoredItem]) -> list[str | int]:
    return [
        value
        for item in items
        for value in (
            *(item.spec.label_map_key, item.spec.instance_map_key or "", item.spec.seed, item.spec.file),
            *(
                item.state,
                item.attempts,
                item.reason or "",
                item.detail or "",
                item.picture_key or "",
                item.digest or "",
            ),
            *(_or_empty(item.size_bytes), json.dumps(item.timings), _or_empty(item.fence)),
        )
    ]


def _or_empty(value: int | None) -> int | str:
    return "" if value is None else value
