"""Whether the scheduler holds with very many workers: latency of claims, fairness, and how busy it keeps one Redis."""

import random
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.bench.gpu_rates import SUSTAINED_TFLOPS, pictures_per_second
from deploy.bench.scheduler_load import (
    BULK,
    SMALL,
    URGENT,
    Owner,
    arrivals,
    equal_owners,
    fair_shares,
    jain_index,
    unequal_owners,
)
from deploy.bench.scheduler_simulation import Outcome, SimulatedWorkers, Simulation
from deploy.bench.script_times import ScriptTimes
from deploy.bench.servers import redis_of_its_own
from deploy.errors import BenchmarkError

WORKERS: Final = (100, 1_000, 10_000)
_LEAST_BATCHES: Final = 1.5
_PIXELS: Final = 256 * 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerRow:
    """Of so many workers. Seconds are simulated; microseconds and `redis_cores` are this machine's."""

    workers: int
    owners: int
    simulated_seconds: float
    pictures_per_second: float
    claims_per_second: float
    claim_p50_us: float
    claim_p99_us: float
    redis_cores: float
    """Processor seconds of Redis in a simulated second: above 1, one Redis cannot serve so many workers."""
    redis_us_per_picture: float
    urgent_wait_p50_seconds: float
    urgent_wait_p99_seconds: float
    small_wait_p99_seconds: float
    smallest_share: float
    """Of all owners but the bulk one, the least pixels handed out as a part of the fair share."""
    bulk_share: float
    jain_index: float
    """Of pixels handed out to owners that ask for equally much, more than there is, by jobs of all sizes."""
    accepted_items: int
    lost_attempts: int
    refused_late: int
    items_lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerFigures:
    """`worker_pictures_per_second` is what each worker makes."""

    worker_pictures_per_second: float
    batch_items: int
    rows: tuple[SchedulerRow, ...]


def measure_scheduler(
    *,
    workers: Sequence[int] = WORKERS,
    pictures: int = 20_000,
    worker_pictures_per_second: float | None = None,
    seed: int = 0,
) -> SchedulerFigures:
    """Simulate each number of workers for about so many `pictures`, at least one and a half batches of each worker.

    Without a rate the workers are GPUs of middle speed. Raises BenchmarkError: where an item is published twice.
    """
    rate = worker_pictures_per_second or pictures_per_second(SUSTAINED_TFLOPS[1])
    rows = []
    for number in workers:
        alike = SimulatedWorkers(count=number, picture_seconds=1 / rate)
        batches = max(_LEAST_BATCHES, pictures / (number * alike.batch_items))
        rows.append(_row(alike, batches=batches, seed=seed))
    return SchedulerFigures(worker_pictures_per_second=rate, batch_items=alike.batch_items, rows=tuple(rows))


def _row(workers: SimulatedWorkers, *, batches: float, seed: int) -> SchedulerRow:
    seconds = batches * workers.batch_seconds
    owners = unequal_owners(workers.count)
    with _simulated(workers, owners, batches=batches, seed=seed) as (simulation, outcome, times):
        cores = times.processor_seconds() / seconds
        claims = statistics.quantiles(times.microseconds("claim"), n=100)
        lost = simulation.settle()
    equal = equal_owners()
    with _simulated(workers, equal, batches=batches / 2, seed=seed) as (_, fair, _):
        fairness = jain_index([fair.pixels[owner.name] for owner in equal])
    shares = shares_received(owners, outcome.pixels, asked=workers.count * workers.batch_items * batches * _PIXELS)
    urgent = statistics.quantiles(_waits(outcome, URGENT), n=100)
    return SchedulerRow(
        workers=workers.count,
        owners=len(owners),
        simulated_seconds=seconds,
        pictures_per_second=outcome.pictures / seconds,
        claims_per_second=outcome.claims / seconds,
        claim_p50_us=claims[49],
        claim_p99_us=claims[98],
        redis_cores=cores,
        redis_us_per_picture=1e6 * cores * seconds / outcome.pictures,
        urgent_wait_p50_seconds=urgent[49],
        urgent_wait_p99_seconds=urgent[98],
        small_wait_p99_seconds=statistics.quantiles(_waits(outcome, SMALL), n=100)[98],
        smallest_share=min(share for name, share in shares.items() if not name.startswith(BULK)),
        bulk_share=next(share for name, share in shares.items() if name.startswith(BULK)),
        jain_index=fairness,
        accepted_items=outcome.accepted,
        lost_attempts=len(outcome.lost_attempts),
        refused_late=outcome.refused,
        items_lost=lost,
    )


@contextmanager
def _simulated(
    workers: SimulatedWorkers, owners: Sequence[Owner], *, batches: float, seed: int
) -> Iterator[tuple[Simulation, Outcome, ScriptTimes]]:
    """A run with its Redis, which is there until the body has ended."""
    dice = random.Random(seed)  # noqa: S311 - the same run each time
    seconds = batches * workers.batch_seconds
    jobs = arrivals(owners, seconds=seconds, pictures=workers.count * workers.batch_items * batches, dice=dice)
    with tempfile.TemporaryDirectory() as folder, redis_of_its_own(Path(folder)) as url:
        times = ScriptTimes(url, "claim")
        simulation = Simulation(url, workers, times=times, dice=dice)
        yield simulation, simulation.run(jobs, seconds=seconds), times


def shares_received(owners: Sequence[Owner], pixels: Mapping[str, int], *, asked: float) -> dict[str, float]:
    """Of each owner, pixels handed out as a part of its fair share of all that were, more urgent classes first.

    An owner with `demand` 1 asks for `asked` pixels.
    """
    capacity = float(sum(pixels.values()))
    shares: dict[str, float] = {}
    for rank in sorted({owner.priority.rank for owner in owners}):
        demands = {owner.name: owner.demand * asked for owner in owners if owner.priority.rank == rank}
        fair = fair_shares(demands, capacity)
        shares |= {name: pixels[name] / share for name, share in fair.items()}
        capacity -= sum(fair.values())
    return shares


def _waits(outcome: Outcome, kind: str) -> list[float]:
    found = [wait for owner, waits in outcome.waits.items() if owner.startswith(kind) for wait in waits]
    if len(found) < 2:
        raise BenchmarkError(f"{len(found)} items of {kind} owners were handed out; simulate more pictures")
    return found
