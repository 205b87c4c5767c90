"""Does a worker keep its engine busy: pictures a second of a saturated worker against those of the bare engine.

A real Celery worker with real Redis and S3 beside it, and the same engine in this process, take turns on the same label
maps, in batches of the same size and with the same threads. No two maps are the same, so that nothing is kept from one
for another. Of the worker, time counts from the end of its first batch to the end of its last: it had more to do all
the while.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.bench.drawn import Maps, draw_maps, inputs_of
from deploy.bench.jobs import card_job_spec
from deploy.bench.servers import Servers
from deploy.bench.waiting import wait_until
from deploy.local.ports import free_port
from deploy.local.services import Worker
from model_store.card import ModelCard
from model_store.registry import Registry
from spade.label_images import encode_ids_png
from workers.engine import LocalEngine
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.messages import JobView, label_map_key
from workers.redis_client import connect
from workers.settings import Settings
from workers.storage import ObjectStore
from workers.wakeup import WakeUp, create_celery

MODEL: Final = "landscape"
BATCH_ITEMS: Final = 8
_JOB_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturationFigures:
    """Medians over the rounds; `worker_share` is the median of each round's ratio. Stages: seconds a picture."""

    model: str
    threads: int
    batch_items: int
    batches: int
    rounds: int
    engine_pictures_per_second: float
    worker_pictures_per_second: float
    worker_share: float
    stage_seconds: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stack:
    settings: Settings
    store: JobStore
    reader: JobReader
    objects: ObjectStore
    wake_up: WakeUp


def measure_saturation(*, threads: int, batches: int, rounds: int) -> SaturationFigures:
    """Run the benchmark. Raises BenchmarkError, or DeployError where a part does not start."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded, as in workers.app
    with tempfile.TemporaryDirectory(prefix="spade-bench-") as folder, _running(Path(folder), threads) as stack:
        registry = Registry(stack.settings.models_dir)
        card = registry.card(MODEL)
        engine = LocalEngine(registry, stack.settings.worker)
        maps = draw_maps(card, batches=batches * (rounds + 1), items=BATCH_ITEMS)
        _bare(engine, card, maps[:1])
        _worker(stack, card, "warm-up", maps[: min(2, batches)])
        pairs: list[tuple[float, float]] = []
        jobs: list[JobView] = []
        for number in range(1, rounds + 1):
            some = maps[number * batches : (number + 1) * batches]
            bare = _bare(engine, card, some)
            rate, ended = _worker(stack, card, f"round-{number}", some)
            pairs.append((bare, rate))
            jobs += ended
        return SaturationFigures(
            model=MODEL,
            threads=threads,
            batch_items=BATCH_ITEMS,
            batches=batches,
            rounds=rounds,
            engine_pictures_per_second=statistics.median(bare for bare, _ in pairs),
            worker_pictures_per_second=statistics.median(rate for _, rate in pairs),
            worker_share=statistics.median(rate / bare for bare, rate in pairs),
            stage_seconds=_stages(stack.reader, jobs),
        )


@contextmanager
def _running(folder: Path, threads: int) -> Iterator[_Stack]:
    servers = Servers.of(folder)
    service = servers.service(
        SPADE_WORKER_MODELS=MODEL,
        SPADE_BATCH_ITEMS=str(BATCH_ITEMS),
        SPADE_THREADS=str(threads),
        SPADE_DEVICE="cpu",
    )
    settings = Settings.from_environment(service)
    worker = Worker(number=1, port=free_port(), service=service)
    with servers.running(), servers.child(worker):
        client = connect(settings.redis_url)
        yield _Stack(
            settings=settings,
            store=JobStore(client, settings.queue),
            reader=JobReader(client),
            objects=ObjectStore(settings.storage),
            wake_up=WakeUp(create_celery(settings.redis_url), client),
        )


def _bare(engine: LocalEngine, card: ModelCard, batches: Sequence[Maps]) -> float:
    """Pictures a second."""
    inputs = [inputs_of(card, maps) for maps in batches]
    began = time.perf_counter()
    for one in inputs:
        engine.synthesize(one)
    return len(batches) * BATCH_ITEMS / (time.perf_counter() - began)


def _worker(stack: _Stack, card: ModelCard, name: str, batches: Sequence[Maps]) -> tuple[float, list[JobView]]:
    """Pictures a second, and the jobs, one a batch. All wait before the worker is woken."""
    ids = [f"{name}-{number}" for number in range(len(batches))]
    for job_id, maps in zip(ids, batches, strict=True):
        for index, label_map in enumerate(maps):
            stack.objects.put(label_map_key(job_id, index), encode_ids_png(label_map), content_type="image/png")
    for job_id in ids:
        stack.store.submit(card_job_spec(job_id, card, items=BATCH_ITEMS))
    stack.wake_up.send(MODEL)
    wait_until(
        lambda: all(stack.reader.job(job_id).state.is_final for job_id in ids),
        f"the worker has finished {len(ids)} batches",
        seconds=_JOB_SECONDS,
    )
    jobs = [stack.reader.job(job_id) for job_id in ids]
    ended = sorted(job.finished_ms or 0 for job in jobs)
    return 1000 * (len(ids) - 1) * BATCH_ITEMS / (ended[-1] - ended[0]), jobs


def _stages(reader: JobReader, jobs: Sequence[JobView]) -> dict[str, float]:
    timings = [item.timings for job in jobs for item in reader.items(job)]
    return {
        stage: statistics.median(timing[stage] for timing in timings)
        for stage in ("decode", "compute", "encode", "upload")
    }
