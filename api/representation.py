"""Jobs as clients see them: from the job store's views to JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import BaseModel, Field, PlainSerializer

from api.parameters import StyleBlend
from api.styles import StyleOfImage, represent_style
from spade.pictures import PictureFormat
from workers.figures import QueuePosition
from workers.messages import CancelOutcome, ItemSpec, ItemView, JobSpec, JobView, Priority, State
from workers.webhook_messages import WebhookState, WebhookView

JOBS_PATH: Final = "/v1/jobs"
PAGE_ITEMS: Final = 1000
"""Items of one answer; the largest job that is not a bulk job fits, unless settings say otherwise."""


def _rfc3339(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str)]


class ModelReference(BaseModel):
    """The exact model of a job."""

    name: str
    version: str
    weights_sha256: str = Field(description="Of the weights file")


class PictureSize(BaseModel):
    """Size in pixels of a picture or a label map, as large as it may be; what may be asked for has its limits."""

    width: int
    height: int


class Counts(BaseModel):
    """Items by state; all but `total` add up to `total`."""

    total: int
    queued: int
    running: int
    succeeded: int
    failed: int
    canceled: int
    expired: int


class Picture(BaseModel):
    """A finished picture."""

    href: str = Field(description="Answers with a redirect to the object store, or with the bytes given `?proxy=1`")
    sha256: str
    bytes: int


class Item(BaseModel):
    """One picture of a job."""

    index: int
    file: str = Field(description="Name of its label map in the request")
    seed: int
    state: State
    attempts: int
    reason: str | None = Field(description="Why it failed, as a stable word")
    detail: str | None
    timings: dict[str, float] = Field(description="Seconds by stage")
    image: Picture | None


class Queue(BaseModel):
    """Where the first waiting item stands."""

    position: int = Field(description="Items ahead of it")
    eta_seconds: float | None = Field(description="Until the job's last item is likely to be done; null if unknown")


class JobLinks(BaseModel):
    """Where a job is read, followed and canceled, and all its pictures are fetched once it has ended."""

    self: str
    cancel: str
    events: str
    archive: str


class Webhook(BaseModel):
    """What became of telling the job's webhook that it has ended."""

    url: str
    state: WebhookState = Field(description="`pending` until it is delivered, or `failed` when it is given up")
    attempts: int
    delivered_at: Time | None
    error: str | None = Field(description="Of the last attempt")


class JobSummary(BaseModel):
    """A job without its items."""

    id: str
    state: State
    counts: Counts
    model: ModelReference
    size: PictureSize
    style: str | StyleBlend | StyleOfImage | None
    format: PictureFormat
    quality: int
    priority: Priority
    labels: dict[str, str]
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    deadline_at: Time | None
    webhook: Webhook | None
    links: JobLinks


class Job(JobSummary):
    """A job with a page of its items, which is all of them unless there are more than 1000."""

    seed: int = Field(description="Seed of the first variation, given or drawn")
    queue: Queue | None = Field(description="Null when nothing of the job is waiting")
    items: list[Item]
    items_next: str | None = Field(
        description="Where the next page of items is; null after the last one. The items of a bulk job come in little "
        "by little after it is accepted, though counted from the start: until then a page may be short, even empty."
    )


class JobPage(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobSummary]
    next: str | None = Field(description="Where the next page is; null at the end. A page may be short, even empty.")


class CanceledItem(BaseModel):
    """What a cancel did to one item."""

    index: int
    outcome: CancelOutcome


class Cancellation(BaseModel):
    """What a cancel did to the items: how many by outcome, and each of the first 1000."""

    job: JobSummary
    outcomes: dict[CancelOutcome, int]
    items: list[CanceledItem]


def job_path(job_id: str, *more: str) -> str:
    """Where a job is read, or what lies below it."""
    return "/".join((JOBS_PATH, job_id, *more))


def summarize(job: JobView) -> JobSummary:
    """A job as it stands in a list."""
    return JobSummary(
        id=job.id,
        state=job.state,
        counts=Counts(total=job.total, **{state.value: count for state, count in job.counts.items()}),
        model=ModelReference(name=job.model, version=job.model_version, weights_sha256=job.weights_digest),
        size=PictureSize(width=job.width, height=job.height),
        style=represent_style(job.style),
        format=PictureFormat(job.picture_format),
        quality=job.picture_quality,
        priority=job.priority,
        labels=job.labels,
        created_at=_time(job.created_ms),
        started_at=_optional_time(job.started_ms),
        finished_at=_optional_time(job.finished_ms),
        deadline_at=_optional_time(job.deadline_ms),
        webhook=None if job.webhook is None else _webhook(job.webhook),
        links=_links(job.id),
    )


def represent(job: JobView, items: Sequence[ItemView], position: QueuePosition | None, *, after: int = -1) -> Job:
    """A job with the items that follow on the one of index `after`."""
    last = items[-1].index if items else after
    return Job(
        **dict(summarize(job)),
        seed=job.seed,
        queue=None if position is None else Queue(position=position.position, eta_seconds=position.eta_seconds),
        items=[represent_item(job.id, item) for item in items],
        items_next=f"{job_path(job.id)}?items_after={last}" if last + 1 < job.total else None,
    )


def represent_accepted(spec: JobSpec) -> Job:
    """A job as it was when it was accepted, for when the queue cannot be asked for it."""
    view = JobView(
        id=spec.id,
        owner=spec.owner,
        state=State.QUEUED,
        counts=dict.fromkeys(State, 0) | {State.QUEUED: spec.total},
        changes=1,
        created_ms=spec.created_ms,
        started_ms=None,
        finished_ms=None,
        deadline_ms=spec.deadline_ms,
        request_digest=spec.request_digest,
        model=spec.model,
        model_version=spec.model_version,
        weights_digest=spec.weights_digest,
        height=spec.height,
        width=spec.width,
        precision=spec.precision,
        priority=spec.priority,
        picture_format=spec.picture_format,
        picture_quality=spec.picture_quality,
        style=spec.style,
        labels=spec.labels,
        seed=spec.seed,
        is_bulk=spec.bulk is not None,
        filled=len(spec.items),
        webhook=None if spec.webhook is None else WebhookView(url=spec.webhook),
    )
    return represent(view, [_accepted_item(item) for item in spec.items[:PAGE_ITEMS]], None)


def _webhook(webhook: WebhookView) -> Webhook:
    return Webhook(
        url=webhook.url,
        state=webhook.state,
        attempts=webhook.attempts,
        delivered_at=_optional_time(webhook.delivered_ms),
        error=webhook.error,
    )


def _links(job_id: str) -> JobLinks:
    return JobLinks(
        self=job_path(job_id),
        cancel=job_path(job_id, "cancel"),
        events=job_path(job_id, "events"),
        archive=job_path(job_id, "archive"),
    )


def _accepted_item(item: ItemSpec) -> ItemView:
    return ItemView(
        index=item.index,
        file=item.file,
        seed=item.seed,
        state=State.QUEUED,
        attempts=0,
        reason=None,
        detail=None,
        picture_key=None,
        digest=None,
        size_bytes=None,
        timings={},
        label_map_key=item.label_map_key,
        fence=None,
    )


def represent_item(job_id: str, item: ItemView) -> Item:
    """An item as it stands in its job."""
    return Item(
        index=item.index,
        file=item.file,
        seed=item.seed,
        state=item.state,
        attempts=item.attempts,
        reason=item.reason,
        detail=item.detail,
        timings=item.timings,
        image=_picture(job_id, item),
    )


def _picture(job_id: str, item: ItemView) -> Picture | None:
    if item.picture_key is None or item.digest is None or item.size_bytes is None:
        return None
    href = f"{job_path(job_id)}/items/{item.index}/image"
    return Picture(href=href, sha256=item.digest, bytes=item.size_bytes)


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _optional_time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else _time(milliseconds)
