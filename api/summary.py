"""The service at one moment, as an operator sees it."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

from pydantic import BaseModel, Field

from api.representation import Time
from workers.figures import QueueStats, StoreStats
from workers.job_reader import JobReader
from workers.messages import JobView, Priority, State
from workers.operations import Failure, Memory, OperationsReader, OwnerUse
from workers.presence import Presence, WorkerView

SHOWN: Final = 20


class QueueSummary(BaseModel):
    """One model's queue."""

    model: str
    waiting: dict[Priority, int]
    oldest_seconds: dict[Priority, float]
    pixels_per_second: float = Field(description="Of all workers, over the last minute")
    succeeded: int = Field(description="Items, since ever")
    failed: int

    @classmethod
    def of(cls, queue: QueueStats, totals: dict[tuple[str, str], int]) -> "QueueSummary":
        """From the job store's view; `totals` has items by model and state."""
        return cls(
            model=queue.model,
            waiting=queue.waiting,
            oldest_seconds=queue.oldest_seconds,
            pixels_per_second=queue.drained_pixels_per_second,
            succeeded=totals.get((queue.model, "succeeded"), 0),
            failed=totals.get((queue.model, "failed"), 0),
        )


class WorkerSummary(BaseModel):
    """A worker by its own last words."""

    name: str
    device: str
    engine: str
    models: list[str]
    state: Presence
    busy_share: float = Field(description="Part of its last seconds in which the engine computed")
    pictures: int = Field(description="Since its start")
    started: Time
    seen: Time

    @classmethod
    def of(cls, worker: WorkerView) -> "WorkerSummary":
        """From the job store's view."""
        return cls(
            name=worker.name,
            device=worker.device,
            engine=worker.engine,
            models=list(worker.models),
            state=worker.presence,
            busy_share=worker.busy_share,
            pictures=worker.counts.pictures,
            started=_time(worker.started),
            seen=_time(worker.seen),
        )


class OwnerSummary(BaseModel):
    """What the keys of one owner use."""

    owner: str
    pictures: int
    pixels: int
    open_items: int
    stored_bytes: int

    @classmethod
    def of(cls, use: OwnerUse) -> "OwnerSummary":
        """From the job store's view."""
        return cls(
            owner=use.owner,
            pictures=use.pictures,
            pixels=use.pixels,
            open_items=use.open_items,
            stored_bytes=use.stored_bytes,
        )


class JobLine(BaseModel):
    """A job, without what it is of."""

    id: str
    owner: str
    model: str
    priority: Priority
    state: State
    total: int
    succeeded: int
    failed: int
    created: Time
    finished: Time | None

    @classmethod
    def of(cls, job: JobView) -> "JobLine":
        """From the job store's view."""
        return cls(
            id=job.id,
            owner=job.owner,
            model=f"{job.model}@{job.model_version}",
            priority=job.priority,
            state=job.state,
            total=job.total,
            succeeded=job.counts[State.SUCCEEDED],
            failed=job.counts[State.FAILED],
            created=_time(job.created_ms / 1000),
            finished=None if job.finished_ms is None else _time(job.finished_ms / 1000),
        )


class FailureLine(BaseModel):
    """An item that failed for good."""

    job: str
    index: int
    owner: str
    model: str
    reason: str
    detail: str | None = Field(description="For keys of scope `admin`: it may tell of what a job is of")
    attempts: int

    @classmethod
    def of(cls, failure: Failure, *, tells_detail: bool) -> "FailureLine":
        """From the job store's view."""
        return cls(
            job=failure.job.id,
            index=failure.item.index,
            owner=failure.job.owner,
            model=f"{failure.job.model}@{failure.job.model_version}",
            reason=failure.item.reason or "",
            detail=failure.item.detail if tells_detail else None,
            attempts=failure.item.attempts,
        )


class MemorySummary(BaseModel):
    """Of Redis; a limit of 0 is none."""

    used_bytes: int
    limit_bytes: int

    @classmethod
    def of(cls, memory: Memory) -> "MemorySummary":
        """From the job store's view."""
        return cls(used_bytes=memory.used_bytes, limit_bytes=memory.limit_bytes)


class OpsSummary(BaseModel):
    """The service at one moment."""

    time: Time
    version: str
    open_items: int = Field(description="Waiting, or held by a worker")
    held_items: int
    dead_letters: int
    pending_webhooks: int
    memory: MemorySummary | None
    queues: list[QueueSummary]
    workers: list[WorkerSummary]
    owners: list[OwnerSummary]
    jobs: list[JobLine] = Field(description="The newest, of everybody")
    failures: list[FailureLine] = Field(description="The newest")


def summarize(reader: JobReader, operations: OperationsReader, *, tells_details: bool) -> OpsSummary:
    """From the job store; `tells_details` of failures. Raises `QueueUnavailableError`."""
    stats, memory = reader.stats(), operations.memory()
    totals = _totals(stats)
    return OpsSummary(
        time=datetime.now(UTC),
        version=version("spade-serving"),
        open_items=stats.open_items,
        held_items=stats.leases,
        dead_letters=stats.dead_letters,
        pending_webhooks=stats.pending_webhooks,
        memory=None if memory is None else MemorySummary.of(memory),
        queues=[QueueSummary.of(queue, totals) for queue in stats.queues],
        workers=[WorkerSummary.of(worker) for worker in operations.workers()],
        owners=[OwnerSummary.of(use) for use in operations.owners()],
        jobs=[JobLine.of(job) for job in operations.recent_jobs(SHOWN)],
        failures=[FailureLine.of(one, tells_detail=tells_details) for one in operations.failures(SHOWN)],
    )


def _totals(stats: StoreStats) -> dict[tuple[str, str], int]:
    """Items by model and state."""
    totals: dict[tuple[str, str], int] = {}
    for total in stats.totals:
        if total.kind == "items":
            totals[total.model, total.state] = totals.get((total.model, total.state), 0) + total.count
    return totals


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
