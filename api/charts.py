"""Charts of the last hour for operators: from Prometheus where the service has one, else from this process's memory."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Protocol

import httpx
from pydantic import BaseModel, Field

from workers.errors import QueueUnavailableError
from workers.figures import StoreStats
from workers.job_reader import JobReader
from workers.messages import Priority
from workers.operations import OperationsReader
from workers.periodic import Periodic
from workers.presence import Presence, WorkerView

SPAN_SECONDS: Final = 3600
STEP_SECONDS: Final = 20
_ANSWER_SECONDS: Final = 5.0
_FRESH_SECONDS: Final = 8.0


class Series(BaseModel):
    """One line of a chart."""

    label: str
    points: list[tuple[float, float]] = Field(description="Unix time and value")


class Chart(BaseModel):
    """Lines of one kind over the last hour."""

    name: str
    title: str
    unit: str
    series: list[Series]


class Charts(BaseModel):
    """What there is to draw."""

    source: str = Field(description="`prometheus`, or `process`: the memory of the process that answered")
    error: str | None = Field(description="Why Prometheus, which the service has, did not answer")
    charts: list[Chart]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A chart: what it asks Prometheus for, and the label that names a line."""

    name: str
    title: str
    unit: str
    query: str
    label: str


_KINDS: Final = (
    _Kind(name="pictures", title="Pictures a second", unit="/s", query="spade:pictures:rate1m", label="model"),
    _Kind(
        name="waiting",
        title="Waiting items",
        unit="",
        query=f"max_over_time(sum by (priority) (spade_queue_waiting_items)[{STEP_SECONDS}s:5s])",
        label="priority",
    ),
    _Kind(
        name="oldest",
        title="Oldest item",
        unit="s",
        query=f"max_over_time(spade:queue_oldest:seconds[{STEP_SECONDS}s])",
        label="priority",
    ),
    _Kind(name="busy", title="Busy devices", unit="%", query="100 * spade:engine_busy:ratio1m", label="worker"),
    _Kind(
        name="failed",
        title="Failed items a minute",
        unit="/min",
        query='60 * sum by (reason) (rate(spade_items_total{state="failed"}[1m]))',
        label="reason",
    ),
    _Kind(
        name="seconds",
        title="95 % of the pictures took less than",
        unit="s",
        query="spade:item_seconds:p95_5m",
        label="model",
    ),
)


class ChartSource(Protocol):
    """Where charts come from."""

    def charts(self) -> Charts: ...

    def start(self) -> None:
        """Begin to watch, where watching is needed."""


class PrometheusCharts:
    """Asks a Prometheus that has the project's recording rules, one thread at a time and every eight seconds at most.

    Whoever comes meanwhile is given what was answered last, so that a slow one keeps one thread of the process.
    """

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=_ANSWER_SECONDS, trust_env=False)
        self._turn = threading.Lock()
        self._asked: float | None = None
        self._last = Charts(source="prometheus", error="it is being asked just now", charts=[])

    def start(self) -> None:
        """Prometheus watches by itself."""

    def charts(self) -> Charts:
        """Without lines, and with the error, where Prometheus does not answer as it should."""
        if self._turn.acquire(blocking=False):
            try:
                if self._asked is None or time.monotonic() - self._asked > _FRESH_SECONDS:
                    self._last = self._ask()
                    self._asked = time.monotonic()
            finally:
                self._turn.release()
        return self._last

    def _ask(self) -> Charts:
        try:
            return Charts(source="prometheus", error=None, charts=[self._chart(kind) for kind in _KINDS])
        except httpx.HTTPStatusError as error:
            told = f"HTTP {error.response.status_code}"
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            told = f"{type(error).__name__}: {error}"[:200]
        return Charts(source="prometheus", error=told, charts=[])

    def _chart(self, kind: _Kind) -> Chart:
        now = time.time() // STEP_SECONDS * STEP_SECONDS  # so that looks at the same past see the same
        asked: dict[str, str | float] = {"start": now - SPAN_SECONDS, "end": now, "step": STEP_SECONDS}
        answer = self._http.get("/api/v1/query_range", params={"query": kind.query, **asked}).raise_for_status()
        rows: list[dict[str, Any]] = answer.json()["data"]["result"]
        series = [
            Series(
                label=row["metric"].get(kind.label, ""),
                points=[(at, float(value)) for at, value in row["values"] if math.isfinite(float(value))],
            )
            for row in rows
        ]
        return Chart(name=kind.name, title=kind.title, unit=kind.unit, series=_worth_showing(series))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """What the job store told at one moment. Succeeded by model, failed by reason: since ever."""

    at: float
    succeeded: Mapping[str, float]
    failed: Mapping[str, float]
    waiting: Mapping[str, float]
    oldest: Mapping[str, float]
    busy: Mapping[str, float]


class ProcessCharts:
    """Remembers what the job store told in the last hour, or since the process began."""

    def __init__(self, reader: JobReader, operations: OperationsReader, *, step_seconds: float = STEP_SECONDS) -> None:
        self._reader = reader
        self._operations = operations
        self._samples: deque[_Sample] = deque(maxlen=int(SPAN_SECONDS / step_seconds) + 1)
        self._lock = threading.Lock()
        self._watching = Periodic("charts", self.look, interval_seconds=step_seconds)

    def start(self) -> None:
        """Look now, and every few seconds in a thread of its own that ends with the process."""
        self.look()
        self._watching.start()

    def look(self) -> None:
        """Remember what is so now; a moment at which the job store is away is left out."""
        try:
            sample = _sample(self._reader.stats(), self._operations.workers())
        except QueueUnavailableError:
            return
        with self._lock:
            self._samples.append(sample)

    def charts(self) -> Charts:
        """All but the chart of seconds, which the job store does not know."""
        with self._lock:
            samples = list(self._samples)
        values: dict[str, Callable[[], list[Series]]] = {
            "pictures": lambda: _rates(samples, lambda sample: sample.succeeded, seconds=1),
            "waiting": lambda: _levels(samples, lambda sample: sample.waiting),
            "oldest": lambda: _levels(samples, lambda sample: sample.oldest),
            "busy": lambda: _levels(samples, lambda sample: sample.busy),
            "failed": lambda: _rates(samples, lambda sample: sample.failed, seconds=60),
        }
        charts = [
            Chart(name=kind.name, title=kind.title, unit=kind.unit, series=_worth_showing(values[kind.name]()))
            for kind in _KINDS
            if kind.name in values
        ]
        return Charts(source="process", error=None, charts=charts)


def _sample(stats: StoreStats, workers: Iterable[WorkerView]) -> _Sample:
    items = [total for total in stats.totals if total.kind == "items"]
    return _Sample(
        at=time.time(),
        succeeded={total.model: total.count for total in items if total.state == "succeeded"},
        failed={
            reason: sum(total.count for total in items if total.state == "failed" and total.reason == reason)
            for reason in {total.reason for total in items if total.state == "failed"}
        },
        waiting={priority: sum(queue.waiting[priority] for queue in stats.queues) for priority in Priority},
        oldest={
            priority: max((queue.oldest_seconds[priority] for queue in stats.queues), default=0.0)
            for priority in Priority
        },
        busy={w.name: 100 * w.busy_share for w in workers if w.presence is not Presence.GONE},
    )


_Values = Callable[[_Sample], Mapping[str, float]]


def _levels(samples: list[_Sample], values: _Values) -> list[Series]:
    labels = sorted({label for sample in samples for label in values(sample)})
    return [
        Series(label=label, points=[(s.at, values(s)[label]) for s in samples if label in values(s)])
        for label in labels
    ]


def _rates(samples: list[_Sample], values: _Values, *, seconds: float) -> list[Series]:
    """How much counters grew in so many seconds; one that fell was lost with Redis, and began anew."""
    labels = sorted({label for sample in samples for label in values(sample)})
    return [
        Series(
            label=label,
            points=[
                (
                    later.at,
                    max(0.0, values(later).get(label, 0) - values(sooner).get(label, 0))
                    / (later.at - sooner.at)
                    * seconds,
                )
                for sooner, later in pairwise(samples)
            ],
        )
        for label in labels
    ]


def _worth_showing(series: list[Series]) -> list[Series]:
    """Without lines that were never above 0."""
    return [one for one in series if any(value for _, value in one.points)]
