"""Figures of the queue, as readers of the job store are told them."""

from dataclasses import dataclass
from enum import StrEnum

from workers.messages import Priority


class FailureReason(StrEnum):
    """Why an item failed."""

    INVALID_LABEL_MAP = "invalid-label-map"
    INPUT_UNREADABLE = "input-unreadable"
    INPUT_UNUSABLE = "input-unusable"
    MODEL_UNUSABLE = "model-unusable"
    OUT_OF_MEMORY = "out-of-memory"
    POISON = "poison"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePosition:
    """Where the first waiting item of a job stands, and when its last one is likely to be done."""

    position: int  # items ahead of it
    eta_seconds: float | None  # None while no rate is known


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """One model's queue, from the job store."""

    model: str
    waiting: dict[Priority, int]
    oldest_seconds: dict[Priority, float]  # age of the oldest waiting item; 0 where none waits
    drained_pixels_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many items or jobs of a model ever came to a state; `state` is `accepted` or a final one."""

    kind: str  # "items" or "jobs"
    model: str
    state: str
    reason: str  # of failed items; otherwise empty
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats:
    """The job store as a whole."""

    queues: tuple[QueueStats, ...]
    leases: int
    open_items: int
    open_pixels: int
    dead_letters: int
    pending_webhooks: int  # of jobs that have ended
    totals: tuple[Total, ...]
