"""What crosses the queue: frozen values with explicit names. Storage keys travel, pixels never do."""

import dataclasses
import json
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from workers.bulk_inputs import BulkInputs, MapReading
from workers.styles import Style
from workers.twins import Twin
from workers.webhook_messages import WebhookView

JOBS_PREFIX: Final = "jobs/"
"""Prefix of every object of every job."""
_TOLD_DIGITS: Final = 12


class State(StrEnum):
    """State of a job and of an item."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (State.QUEUED, State.RUNNING)


class Priority(StrEnum):
    """Priority class, most urgent first; the scheduler serves a class only when the ones before it are empty."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BULK = "bulk"

    @property
    def rank(self) -> int:
        """0 for the most urgent class."""
        return list(Priority).index(self)


class CancelOutcome(StrEnum):
    """What a cancel did to one item, as it really was."""

    DEQUEUED = "dequeued"
    REMOVED_FROM_BATCH = "removed_from_batch"
    DISCARDED = "discarded"
    TOO_LATE = "too_late"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSpec:
    """One picture to make: a label map with a seed."""

    index: int
    file: str  # the label map's name in the request, for people
    label_map_key: str
    instance_map_key: str | None
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A whole accepted request. Stored as `job.json` beside the inputs, from which a lost queue can be rebuilt."""

    id: str
    owner: str
    model: str
    model_version: str
    weights_digest: str
    height: int
    width: int
    items: tuple[ItemSpec, ...]  # empty in a bulk job
    created_ms: int  # Unix time, milliseconds
    request_digest: str  # sha256 of what the request asks for; equal requests have equal digests
    precision: str = "float32"
    priority: Priority = Priority.NORMAL
    picture_format: str = "png"
    picture_quality: int = 90
    style: Style | None = None
    deadline_seconds: float | None = None
    labels: dict[str, str] = field(default_factory=dict)
    webhook: str | None = None  # URL that is told when the job ends
    bulk: BulkInputs | None = None
    request_id: str | None = None  # of the request that made it
    traceparent: str | None = None  # what its items' spans hang from, as W3C Trace Context writes it

    @property
    def total(self) -> int:
        """Number of items."""
        return len(self.items) if self.bulk is None else self.bulk.maps * self.bulk.variations

    @property
    def seed(self) -> int:
        """Of the first item."""
        return self.items[0].seed if self.bulk is None else self.bulk.seed

    @property
    def deadline_ms(self) -> int | None:
        """Unix time, milliseconds, by the clock of whoever accepted it; the job store goes by its own."""
        return None if self.deadline_seconds is None else self.created_ms + round(self.deadline_seconds * 1000)

    @property
    def bucket(self) -> str:
        """Name of the set of items that may share a batch. Of a replaced version, old jobs are apart."""
        model, weights = f"{self.model}@{self.model_version}", self.weights_digest[:_TOLD_DIGITS]
        return f"{model}/{self.height}x{self.width}/{self.precision}/{weights}"

    @property
    def pixels(self) -> int:
        """Pixels of one picture."""
        return self.height * self.width

    def to_json(self) -> str:
        """The text of `job.json`."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        items = tuple(ItemSpec(**item) for item in values.pop("items"))
        bulk = values.pop("bulk")
        return cls(
            items=items,
            style=Style.from_values(values.pop("style")),
            bulk=None if bulk is None else BulkInputs.from_values(bulk),
            **{**values, "priority": Priority(values["priority"])},
        )


def job_prefix(job_id: str) -> str:
    """Prefix of every object of a job."""
    return f"{JOBS_PREFIX}{job_id}/"


def spec_key(job_id: str) -> str:
    """Where the job as it was accepted goes before it is acknowledged."""
    return f"{job_prefix(job_id)}job.json"


def record_key(job_id: str) -> str:
    """Where it is recorded what became of the job: when it ends, and when an item fails."""
    return f"{job_prefix(job_id)}record.json"


def label_map_key(job_id: str, map_index: int) -> str:
    """Where a label map goes, in the size of the pictures; its variations share it."""
    return f"{job_prefix(job_id)}inputs/{map_index}.png"


def instance_map_key(job_id: str, map_index: int) -> str:
    """Where the instance map of a label map goes."""
    return f"{job_prefix(job_id)}inputs/{map_index}.instance.png"


def style_picture_key(job_id: str) -> str:
    """Where the picture goes whose style all pictures of the job take, in the encoder's size."""
    return f"{job_prefix(job_id)}inputs/style.png"


def picture_key(job_id: str, index: int, fence: int, picture_format: str) -> str:
    """The fence makes the name of every attempt its own, so that a late worker cannot overwrite a result."""
    return f"{job_prefix(job_id)}pictures/{index}-{fence}.{picture_format}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedItem:
    """An item as a worker holds it: valid as long as its lease lives and its fence is the item's newest."""

    job_id: str
    index: int
    fence: int
    attempt: int
    label_map_key: str
    instance_map_key: str | None
    seed: int
    picture_format: str
    picture_quality: int
    waited_ms: int
    style: Style | None = None
    reading: MapReading | None = None  # None: the stored inputs are in the form that workers read
    twin: Twin | None = None  # to be copied while it is there
    request_id: str | None = None
    traceparent: str | None = None

    @property
    def id(self) -> str:
        """Name of the item in the job store."""
        return f"{self.job_id}:{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Items of one bucket, claimed together."""

    bucket: str
    model: str
    model_version: str
    weights_digest: str  # that its jobs were accepted for
    height: int
    width: int
    items: tuple[ClaimedItem, ...]
    claimed_at: float = field(default_factory=time.perf_counter, compare=False)

    @property
    def pixels(self) -> int:
        """Pixels of one picture."""
        return self.height * self.width


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A stored picture, to be committed."""

    item: ClaimedItem
    picture_key: str
    digest: str  # sha256 of the stored bytes
    size_bytes: int
    timings: dict[str, float]  # seconds by stage


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """An item as a reader sees it."""

    index: int
    file: str
    seed: int
    state: State
    attempts: int
    reason: str | None
    detail: str | None
    picture_key: str | None
    digest: str | None
    size_bytes: int | None
    timings: dict[str, float]
    label_map_key: str
    fence: int | None  # of its newest attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as a reader sees it. `changes` grows with every change of the job or of one of its items."""

    id: str
    owner: str
    state: State
    counts: dict[State, int]  # adds up to the number of items
    changes: int
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    deadline_ms: int | None
    request_digest: str
    model: str
    model_version: str
    weights_digest: str
    height: int
    width: int
    precision: str
    priority: Priority
    picture_format: str
    picture_quality: int
    style: Style | None
    labels: dict[str, str]
    seed: int  # of its first item
    is_bulk: bool
    filled: int  # items that are in the job store; those of a bulk job come in little by little
    webhook: WebhookView | None = None
    endings: int = 0  # more than one where the job was opened again

    @property
    def total(self) -> int:
        """Number of items."""
        return sum(self.counts.values())
