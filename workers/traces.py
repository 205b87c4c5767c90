"""Traces as the service sees them: what takes time is told to them, and whether they are on makes no difference.

These are the ones that are off and do nothing; `workers.otlp` has the others, and alone knows OpenTelemetry.

The trace of a picture begins with the request: `POST /v1/jobs` with a span for each stage, of which `enqueue` is the
producer. From it hangs one span `item` for each attempt, from when the job was accepted to the commit, with the stages
of the worker below it. It is made when the attempt has ended, from times that are taken anyway, so that a worker that
was killed leaves none; the next attempt has its number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from workers.messages import Batch, ClaimedItem
from workers.trace_settings import TraceSettings

TRACED_ITEMS: Final = 100
"""Of a job, so many items have a whole trace. Of the others, attempts without a picture have the span `item`."""


class Service(StrEnum):
    """Whose spans they are."""

    API = "spade-api"
    WORKER = "spade-worker"


class Ending(StrEnum):
    """How an attempt ended; all but the first two leave an item without a picture."""

    PUBLISHED = "published"
    COPIED = "copied"
    REFUSED = "refused"  # it came too late, or was canceled
    RELEASED = "released"
    POSTPONED = "postponed"
    LOST = "lost"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Something that was done, by `time.perf_counter`."""

    name: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


class Span:
    """Something that takes time while it is being done; this one is of no trace."""

    traceparent: str | None = None  # for what hangs from it
    trace_id: str | None = None

    def child(self, name: str, *, is_producer: bool = False) -> "Span":
        """A part of it that begins now."""
        _ = name, is_producer
        return self

    def note(self, attributes: Mapping[str, str | int]) -> None:
        """Say more about it."""

    def end(self, *, error: str = "") -> None:
        """It has ended; with an error it has failed."""


NO_SPAN: Final = Span()


class Traces:
    """Those that are off."""

    def request(self, method: str, route: str, traceparent: str | None) -> Span:
        """A request that begins now; `traceparent` is what its client sent."""
        _ = method, route, traceparent
        return NO_SPAN

    def attempt(
        self, batch: Batch, item: ClaimedItem, stages: Sequence[Stage], outcome: Ending, *, detail: str = ""
    ) -> None:
        """An attempt that has ended now, with what was done in it since it was claimed."""

    def stop(self) -> None:
        """Send what is left, for a few seconds at most."""


def start_traces(settings: TraceSettings, service: Service) -> Traces:
    """As the settings say. To be called in the process that is traced, after any fork: they have a thread."""
    if not settings.endpoint:
        return Traces()
    from workers.otlp import start_otlp_traces  # the extra [traces], which nobody needs who has them off

    return start_otlp_traces(settings, service)
