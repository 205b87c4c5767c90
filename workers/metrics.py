"""Metrics: what a worker counts itself, and the queue's figures read from the job store when scraped."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workers.errors import QueueUnavailableError
from workers.figures import StoreStats
from workers.job_reader import JobReader

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_BATCH_ITEMS: Final = (1, 2, 4, 8, 16, 32, 64)


class WorkerMetrics:
    """Counters of one worker process. Stages: wait, decode, compute, encode, upload, commit; copy."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.stage_seconds = Histogram(
            "spade_stage_seconds",
            "Seconds that an item (wait) or a batch (the others) spent in a stage",
            ["model", "stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch_items = Histogram(
            "spade_batch_items", "Items in a computed batch", ["model"], buckets=_BATCH_ITEMS, registry=registry
        )
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


class QueueCollector(Collector):
    """The queue as the job store has it. While Redis is away only `spade_queue_up` is there, and is 0."""

    def __init__(self, reader: JobReader) -> None:
        self._reader = reader

    def describe(self) -> list[Metric]:
        return []  # registering must not ask Redis

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("spade_queue_up", "Whether the job store answers")
        try:
            stats = self._reader.stats()
        except QueueUnavailableError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _per_queue(stats)
        yield from _per_store(stats)
        yield from _totals(stats)


def _per_queue(stats: StoreStats) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("spade_queue_waiting_items", "Items waiting", labels=["model", "priority"])
    oldest = GaugeMetricFamily("spade_queue_oldest_item_seconds", "Age of the oldest waiting item", labels=["model"])
    rate = GaugeMetricFamily(
        "spade_queue_drained_pixels_per_second", "Pixels finished a second, over the last minute", labels=["model"]
    )
    for queue in stats.queues:
        for priority, count in queue.waiting.items():
            waiting.add_metric([queue.model, priority], count)
        oldest.add_metric([queue.model], queue.oldest_seconds)
        rate.add_metric([queue.model], queue.drained_pixels_per_second)
    yield from (waiting, oldest, rate)


def _per_store(stats: StoreStats) -> Iterator[Metric]:
    yield GaugeMetricFamily("spade_queue_leases", "Items that a worker holds", value=stats.leases)
    yield GaugeMetricFamily("spade_queue_open_items", "Items waiting or running", value=stats.open_items)
    yield GaugeMetricFamily("spade_queue_open_pixels", "Pixels of these items", value=stats.open_pixels)
    yield GaugeMetricFamily("spade_queue_dead_letters", "Items given up as poison", value=stats.dead_letters)
    yield GaugeMetricFamily(
        "spade_queue_pending_webhooks",
        "Ended jobs that a receiver is still to be told of",
        value=stats.pending_webhooks,
    )


def _totals(stats: StoreStats) -> Iterator[Metric]:
    items = CounterMetricFamily("spade_items", "Items that came to a state", labels=["model", "state", "reason"])
    jobs = CounterMetricFamily("spade_jobs", "Jobs that came to a state", labels=["model", "state"])
    for total in stats.totals:
        if total.kind == "items":
            items.add_metric([total.model, total.state, total.reason], total.count)
        else:
            jobs.add_metric([total.model, total.state], total.count)
    yield from (items, jobs)
