"""Metrics that a process of the service counts itself. Those of the queue are in `workers.queue_metrics`."""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from workers.busy_time import BusyTime
from workers.presence import WorkerCounts

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_ITEM_SECONDS: Final = (*_SECONDS, 3600, 3 * 3600, 12 * 3600, 24 * 3600)  # bulk jobs wait
_STORAGE_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_BATCH_ITEMS: Final = (1, 2, 4, 8, 16, 32, 64)
_FILL: Final = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1)


class StorageMetrics:
    """Calls to the object store by one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "spade_storage_seconds",
            "Seconds of a call to the object store, with its repetitions",
            ["operation"],
            buckets=_STORAGE_SECONDS,
            registry=registry,
        )
        self._calls = Counter(
            "spade_storage_calls", "Calls to the object store", ["operation", "outcome"], registry=registry
        )

    def observe(self, operation: str, outcome: str, seconds: float) -> None:
        """A `workers.storage.StorageObserver`."""
        self._seconds.labels(operation).observe(seconds)
        self._calls.labels(operation, outcome).inc()


class WorkerMetrics:
    """Counters of one worker process. Stages: wait, decode, compute, encode, upload, commit; copy."""

    def __init__(
        self, registry: CollectorRegistry, *, worker: str = "", device: Callable[[], str] = lambda: "cpu"
    ) -> None:
        """`worker` is its name among the others; `device` is asked when somebody reads the metrics."""
        self.stage_seconds = Histogram(
            "spade_stage_seconds",
            "Seconds of a stage: of an item (wait, encode, upload, copy) or of a batch (decode, compute, commit)",
            ["model", "stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.item_seconds = Histogram(
            "spade_item_seconds",
            "Seconds from the acceptance of an item to its published picture",
            ["model"],
            buckets=_ITEM_SECONDS,
            registry=registry,
        )
        self.batch_items = Histogram(
            "spade_batch_items", "Items in a computed batch", ["model"], buckets=_BATCH_ITEMS, registry=registry
        )
        self.batch_fill = Histogram(
            "spade_batch_fill_ratio",
            "Items in a computed batch, as a part of those that this worker would take at once",
            ["model"],
            buckets=_FILL,
            registry=registry,
        )
        self.busy = BusyTime(worker=worker, device=device)
        registry.register(self.busy)
        self.pictures = Counter("spade_pictures", "Pictures published", ["model"], registry=registry)
        self.coalesced = Counter(
            "spade_coalesced_items",
            "Items whose picture was copied from an identical one",
            ["model"],
            registry=registry,
        )
        self.pixels = Counter("spade_pixels", "Pixels of published pictures", ["model"], registry=registry)
        self.refused = Counter(
            "spade_commits_refused", "Results that came too late and were removed", ["model"], registry=registry
        )
        self.engine_errors = Counter(
            "spade_engine_errors", "Batches that the engine did not finish", ["model", "error"], registry=registry
        )
        self.webhooks = Counter(
            "spade_webhooks", "Attempts to tell a receiver that a job has ended", ["outcome"], registry=registry
        )

    def introduce(self, models: Iterable[str]) -> None:
        """Begin with 0 what counts by model: a counter that appears with its first event seems not to have grown."""
        for model in models:
            for counter in (self.pictures, self.pixels, self.coalesced, self.refused):
                counter.labels(model)

    def counts(self) -> WorkerCounts:
        """What this process has done since its start, over all models."""
        return WorkerCounts(
            busy_seconds=self.busy.seconds(),
            pictures=int(_total(self.pictures)),
            pixels=int(_total(self.pixels)),
        )


def _total(counter: Counter) -> float:
    samples = (sample for metric in counter.collect() for sample in metric.samples)
    return sum(sample.value for sample in samples if sample.name.endswith("_total"))
