"""What is known of telling somebody, by a webhook, that a job has ended."""

from dataclasses import dataclass
from enum import StrEnum


class WebhookState(StrEnum):
    """State of a job's webhook."""

    PENDING = "pending"  # the job has not ended, or the delivery is still being tried
    DELIVERED = "delivered"
    FAILED = "failed"  # given up


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookView:
    """A job's webhook as a reader sees it."""

    url: str
    state: WebhookState = WebhookState.PENDING
    attempts: int = 0
    delivered_ms: int | None = None
    error: str | None = None  # of the last attempt; None when it succeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt to deliver, as a worker holds it: valid until its lease runs out and another attempt is begun."""

    job_id: str
    owner: str
    ending: int
    attempt: int

    @property
    def message_id(self) -> str:
        """The same at every attempt, so that a receiver can tell that it has had the message."""
        return f"msg_{self.job_id}_{self.ending}"
