"""The queue's figures, read from the job store when Prometheus asks. One process of the service tells them."""

import logging
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workers.errors import QueueUnavailableError
from workers.figures import FailureReason, StoreStats
from workers.job_reader import JobReader
from workers.operations import Memory, OperationsReader, OwnerUse
from workers.presence import Presence, WorkerView

_log = logging.getLogger(__name__)
_ENDINGS: Final = ("succeeded", "canceled", "expired")


class QueueCollector(Collector):
    """The queue as the job store has it. While Redis is away only `spade_queue_up` is there, and is 0."""

    def __init__(self, reader: JobReader, operations: OperationsReader) -> None:
        self._reader = reader
        self._operations = operations
        self._was_up: bool | None = None

    def describe(self) -> list[Metric]:
        return []  # registering must not ask Redis

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("spade_queue_up", "Whether the job store answers")
        try:
            stats = self._reader.stats()
            owners, workers = self._operations.owners(), self._operations.workers()
            memory = self._operations.memory()
        except QueueUnavailableError as error:
            if self._was_up is not False:
                _log.warning("the job store is away", extra={"error": str(error)})
            self._was_up = False
            up.add_metric([], 0)
            yield up
            return
        if self._was_up is False:
            _log.info("the job store is back")
        self._was_up = True
        up.add_metric([], 1)
        yield up
        yield from _per_queue(stats)
        yield from _per_store(stats)
        yield from _totals(stats)
        yield from _per_owner(owners)
        yield _workers(workers)
        if memory is not None:
            yield from _memory(memory)


def _per_queue(stats: StoreStats) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("spade_queue_waiting_items", "Items waiting", labels=["model", "priority"])
    oldest = GaugeMetricFamily(
        "spade_queue_oldest_item_seconds", "Age of the oldest waiting item", labels=["model", "priority"]
    )
    rate = GaugeMetricFamily(
        "spade_queue_drained_pixels_per_second", "Pixels finished a second, over the last minute", labels=["model"]
    )
    for queue in stats.queues:
        for priority, count in queue.waiting.items():
            waiting.add_metric([queue.model, priority], count)
        for priority, seconds in queue.oldest_seconds.items():
            oldest.add_metric([queue.model, priority], seconds)
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
    counted_items, counted_jobs = _zeros(stats)
    for total in stats.totals:
        if total.kind == "items":
            counted_items[total.model, total.state, total.reason] = total.count
        else:
            counted_jobs[total.model, total.state] = total.count
    for labels, count in counted_items.items():
        items.add_metric(labels, count)
    for job_labels, count in counted_jobs.items():
        jobs.add_metric(job_labels, count)
    yield from (items, jobs)


def _zeros(stats: StoreStats) -> tuple[dict[tuple[str, str, str], int], dict[tuple[str, str], int]]:
    """How every model's items and jobs may end: a counter that appears with its first event seems not to have grown."""
    models = [queue.model for queue in stats.queues]
    endings = [(state, "") for state in _ENDINGS] + [("failed", reason) for reason in FailureReason]
    items = {(model, state, str(reason)): 0 for model in models for state, reason in endings}
    jobs = {(model, state): 0 for model in models for state in (*_ENDINGS, "failed")}
    return items, jobs


def _per_owner(owners: list[OwnerUse]) -> Iterator[Metric]:
    pictures = CounterMetricFamily("spade_owner_pictures", "Pictures made for an owner of keys", labels=["owner"])
    pixels = CounterMetricFamily("spade_owner_pixels", "Pixels of these pictures", labels=["owner"])
    open_items = GaugeMetricFamily("spade_owner_open_items", "An owner's items waiting or running", labels=["owner"])
    stored = GaugeMetricFamily("spade_owner_stored_bytes", "Bytes of an owner's inputs and pictures", labels=["owner"])
    for use in owners:
        pictures.add_metric([use.owner], use.pictures)
        pixels.add_metric([use.owner], use.pixels)
        open_items.add_metric([use.owner], use.open_items)
        stored.add_metric([use.owner], use.stored_bytes)
    yield from (pictures, pixels, open_items, stored)


def _workers(workers: list[WorkerView]) -> Metric:
    """Every state is there, also with 0, so that an alert can tell none from unknown."""
    count = GaugeMetricFamily(
        "spade_queue_workers", "Workers by what they last said; gone: nothing for 20 s", labels=["state"]
    )
    for presence in Presence:
        count.add_metric([presence], sum(worker.presence == presence for worker in workers))
    return count


def _memory(memory: Memory) -> Iterator[Metric]:
    yield GaugeMetricFamily("spade_queue_memory_bytes", "Memory that Redis uses", value=memory.used_bytes)
    yield GaugeMetricFamily(
        "spade_queue_memory_limit_bytes", "Memory that Redis may use; 0: no limit", value=memory.limit_bytes
    )
