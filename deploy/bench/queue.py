"""What the queue costs: items a second through the job store, and the time from submit to claim.

Everything runs against a Redis-protocol server of its own and, for the latencies, a real Celery worker.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from celery import Celery

from deploy.bench.jobs import job_spec, null_result
from deploy.bench.servers import NullWorker, redis_of_its_own
from deploy.errors import BenchmarkError
from deploy.local.child import Child
from workers.job_store import JobStore
from workers.redis_client import RedisClient, connect
from workers.settings import QueueSettings
from workers.wakeup import WakeUp, create_celery, queue_name

MODEL: Final = "null"
CLAIMED_AT: Final = "bench:claimed"
ECHO: Final = "bench.echo"

_CLAIM_ITEMS: Final = 32
_JOB_ITEMS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """Rates in items a second, times in milliseconds. Medians over the rounds, which alternate with one another."""

    items: int
    items_per_second: float
    submit_items_per_second: float
    claim_items_per_second: float
    commit_items_per_second: float
    queue_ms_per_item: float
    celery_round_trip_ms: float
    celery_round_trips_per_item: float  # the queue's cost of an item, in Celery task round trips
    submit_to_claim_p50_ms: float
    submit_to_claim_p99_ms: float


def measure_queue(*, items: int, rounds: int) -> QueueFigures:
    """Run the benchmark; `items` go through the store in each of `rounds`."""
    with tempfile.TemporaryDirectory() as folder, redis_of_its_own(Path(folder)) as url:
        celery = create_celery(url)
        celery.conf.update(result_backend=url, task_default_queue=queue_name(MODEL))
        service = {**os.environ, "SPADE_REDIS_URL": url}
        worker = NullWorker(module="deploy.bench.null_worker", service=service, celery=celery)
        with Child(worker, log=Path(folder) / "worker.log"):
            return _measure(connect(url), celery, items=items, rounds=rounds)


def _measure(client: RedisClient, celery: Celery, *, items: int, rounds: int) -> QueueFigures:
    store = JobStore(client, QueueSettings(max_open_items=2**40, max_owner_items=2**40))
    phases: list[tuple[float, float, float]] = []
    round_trips: list[float] = []
    latencies: list[float] = []
    for number in range(rounds):
        phases.append(_through_the_store(store, number, items))
        round_trips += _repeat(50, lambda: celery.send_task(ECHO, args=[1]).get(timeout=10))
        latencies += _submit_to_claim(client, store, WakeUp(celery, client), number, times=100)
    submit, claim, commit = (statistics.median(phase) for phase in zip(*phases, strict=True))
    per_item = (submit + claim + commit) / items
    round_trip = statistics.median(round_trips)
    percentiles = statistics.quantiles(latencies, n=100)
    return QueueFigures(
        items=items,
        items_per_second=1 / per_item,
        submit_items_per_second=items / submit,
        claim_items_per_second=items / claim,
        commit_items_per_second=items / commit,
        queue_ms_per_item=1000 * per_item,
        celery_round_trip_ms=1000 * round_trip,
        celery_round_trips_per_item=per_item / round_trip,
        submit_to_claim_p50_ms=1000 * percentiles[49],
        submit_to_claim_p99_ms=1000 * percentiles[98],
    )


def _through_the_store(store: JobStore, number: int, items: int) -> tuple[float, float, float]:
    """Seconds that submitting, claiming and committing took. The model has no worker, so nobody interferes."""
    started = time.perf_counter()
    for first in range(0, items, _JOB_ITEMS):
        store.submit(job_spec(f"bulk-{number}-{first}", model="unserved", items=min(_JOB_ITEMS, items - first)))
    submitted = time.perf_counter()
    claim_seconds = commit_seconds = 0.0
    while True:
        before = time.perf_counter()
        batch = store.claim(
            worker="bench", device="none", models=["unserved"], max_items=_CLAIM_ITEMS, max_pixels=2**62
        ).batch
        claimed = time.perf_counter()
        claim_seconds += claimed - before
        if batch is None:
            return submitted - started, claim_seconds, commit_seconds
        store.commit([null_result(item) for item in batch.items])
        commit_seconds += time.perf_counter() - claimed


def _submit_to_claim(client: RedisClient, store: JobStore, wake_up: WakeUp, number: int, *, times: int) -> list[float]:
    """Seconds from before the submit to the claim in the Celery worker, one job at a time. One clock serves both."""
    seconds = []
    for index in range(times):
        before = time.monotonic()
        store.submit(job_spec(f"single-{number}-{index}", model=MODEL, items=1))
        wake_up.send(MODEL)
        answer = client.blpop(CLAIMED_AT, timeout=10)
        if answer is None:
            raise BenchmarkError("the benchmark's worker did not claim an item within 10 s")
        seconds.append(float(answer[1]) - before)
    return seconds


def _repeat(times: int, action: Callable[[], object]) -> list[float]:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return seconds
