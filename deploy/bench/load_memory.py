"""Memory of the service while very many items pass through it and are forgotten after a short retention."""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx
import psutil
import redis

from api.callers import LOCAL_OWNER
from deploy.bench.load_requests import PATH, submission
from deploy.bench.load_stack import LoadStack, running_stack
from deploy.bench.waiting import wait_until
from deploy.errors import BenchmarkError
from workers.job_reader import JobReader
from workers.redis_client import connect

_SUBMITTERS: Final = 4
_LABEL_MAPS: Final = 5
_VARIATIONS: Final = 20
_RETENTION_SECONDS: Final = 5
_SAMPLE_SECONDS: Final = 0.5
_FORGOTTEN_SECONDS: Final = 120.0
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Bytes, after so many items had been accepted."""

    accepted_items: int
    api_bytes: int
    worker_bytes: int
    redis_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFigures:
    """Memory in MiB. A slope is the growth over the second half of the run, by least squares."""

    items: int
    items_per_second: float
    api_started_mib: float
    api_ended_mib: float
    api_slope_bytes_per_item: float
    worker_started_mib: float
    worker_ended_mib: float
    worker_slope_bytes_per_item: float
    redis_started_mib: float
    redis_peak_mib: float
    redis_ended_mib: float  # once the jobs were forgotten
    redis_slope_bytes_per_item: float


def measure_memory(items: int) -> MemoryFigures:
    """Submit `items` in jobs of 100 and watch. Raises BenchmarkError, or DeployError where a part does not start."""
    with running_stack(SPADE_RETENTION_SECONDS=str(_RETENTION_SECONDS)) as stack:
        client = redis.Redis.from_url(stack.settings.redis_url)
        reader = JobReader(connect(stack.settings.redis_url))
        _submit(stack, _SUBMITTERS * _LABEL_MAPS * _VARIATIONS)  # everything is loaded and connected
        samples = [_sample(stack, reader, client)]
        began = time.monotonic()
        with _sampled(stack, reader, client, samples):
            _submit(stack, items)
            wait_until(lambda: not reader.stats().open_items, "no item is open", seconds=_FORGOTTEN_SECONDS)
            seconds = time.monotonic() - began
        wait_until(lambda: next(reader.jobs(LOCAL_OWNER), None) is None, "no job is listed", seconds=_FORGOTTEN_SECONDS)
        return _figures(samples, _sample(stack, reader, client), items=items, seconds=seconds)


def _submit(stack: LoadStack, items: int) -> None:
    body, headers = submission(variations=_VARIATIONS, label_maps=_LABEL_MAPS)
    with (
        httpx.Client(base_url=stack.url, headers=headers, timeout=120, trust_env=False) as http,
        ThreadPoolExecutor(_SUBMITTERS) as submitters,
    ):

        def submit(_: int) -> int:
            return http.post(PATH, content=body).status_code

        statuses = set(submitters.map(submit, range(items // (_LABEL_MAPS * _VARIATIONS))))
    if statuses - {httpx.codes.ACCEPTED}:
        raise BenchmarkError(f"jobs were answered with {sorted(statuses)}; they should all have been accepted")


@contextmanager
def _sampled(stack: LoadStack, reader: JobReader, client: redis.Redis, samples: list[Sample]) -> Iterator[None]:
    over = threading.Event()

    def sample() -> None:
        while not over.wait(_SAMPLE_SECONDS):
            samples.append(_sample(stack, reader, client))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield
    finally:
        over.set()
        sampler.join()


def _sample(stack: LoadStack, reader: JobReader, client: redis.Redis) -> Sample:
    api = psutil.Process(stack.api.pid).children()
    totals = reader.stats().totals
    return Sample(
        accepted_items=sum(total.count for total in totals if (total.kind, total.state) == ("items", "accepted")),
        api_bytes=sum(process.memory_info().rss for process in api),
        worker_bytes=psutil.Process(stack.worker.pid).memory_info().rss,
        redis_bytes=int(client.info("memory")["used_memory"]),
    )


def _figures(samples: Sequence[Sample], ended: Sample, *, items: int, seconds: float) -> MemoryFigures:
    started, half = samples[0], samples[len(samples) // 2 :]
    accepted = [sample.accepted_items for sample in half]

    def slope(sizes: Sequence[int]) -> float:
        return statistics.linear_regression(accepted, sizes).slope if len(set(accepted)) > 1 else 0.0

    return MemoryFigures(
        items=items,
        items_per_second=items / seconds,
        api_started_mib=started.api_bytes / _MIB,
        api_ended_mib=ended.api_bytes / _MIB,
        api_slope_bytes_per_item=slope([sample.api_bytes for sample in half]),
        worker_started_mib=started.worker_bytes / _MIB,
        worker_ended_mib=ended.worker_bytes / _MIB,
        worker_slope_bytes_per_item=slope([sample.worker_bytes for sample in half]),
        redis_started_mib=started.redis_bytes / _MIB,
        redis_peak_mib=max(sample.redis_bytes for sample in samples) / _MIB,
        redis_ended_mib=ended.redis_bytes / _MIB,
        redis_slope_bytes_per_item=slope([sample.redis_bytes for sample in half]),
    )
