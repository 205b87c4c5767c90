"""The simulated scheduler: what it finds, and that it would find a scheduler that is not fair or loses items."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.bench.scheduler import shares_received
from deploy.bench.scheduler_load import Owner, arrivals, equal_owners, jain_index, unequal_owners
from deploy.bench.scheduler_simulation import Outcome, SimulatedWorkers, Simulation
from deploy.bench.script_times import ScriptTimes
from deploy.bench.servers import redis_of_its_own
from deploy.bench.simulated_time import SimulatedTime
from deploy.cli import main
from support.jobs import claim_batch, job_spec, result_of
from support.planted_faults import plant
from workers.job_store import JobStore
from workers.settings import QueueSettings

BATCHES = 6.0
STEADY = SimulatedWorkers(count=10, picture_seconds=0.01)
UNRELIABLE = replace(STEADY, lost_share=0.1, late_share=0.1, lease_batches=2)
UNFAIR = ("claim", "redis.call('ZINCRBY', ring, pixels, owner)", "")
"""A script that charges nobody for what is handed out, so that the first in the ring always comes first."""
FORGETFUL = ("reap", "    requeue(id, j, true)", "    redis.call('ZREM', P .. 'leases', id)")
"""One that takes a lost item's lease away and does not queue it again."""


def dice() -> random.Random:
    return random.Random(3)  # noqa: S311 - the same each time


@contextmanager
def simulation(
    folder: Path, workers: SimulatedWorkers, fault: tuple[str, str, str] | None = None
) -> Iterator[Simulation]:
    with redis_of_its_own(folder) as url:
        run = Simulation(url, workers, times=ScriptTimes(url, "claim"), dice=dice())
        if fault is not None:
            plant(run.store, run.clock.connect(url), *fault)
        yield run


def simulate(run: Simulation, workers: SimulatedWorkers, owners: tuple[Owner, ...]) -> Outcome:
    seconds, pictures = BATCHES * workers.batch_seconds, BATCHES * workers.count * workers.batch_items
    return run.run(arrivals(owners, seconds=seconds, pictures=pictures, dice=dice()), seconds=seconds)


@pytest.mark.parametrize(("fault", "is_fair"), [(None, True), (UNFAIR, False)])
def test_small_owners_get_what_they_ask_for_beside_one_with_nine_tenths_of_the_load(
    tmp_path: Path, fault: tuple[str, str, str] | None, is_fair: bool
) -> None:
    owners = unequal_owners(STEADY.count)
    with simulation(tmp_path, STEADY, fault) as run:
        outcome = simulate(run, STEADY, owners)
    asked = BATCHES * STEADY.count * STEADY.batch_items * 256 * 256
    shares = shares_received(owners, outcome.pixels, asked=asked)
    assert (min(shares.values()) > 0.9) == is_fair, shares


@pytest.mark.parametrize(("fault", "is_fair"), [(None, True), (UNFAIR, False)])
def test_owners_who_ask_for_the_same_get_the_same_whoever_came_first(
    tmp_path: Path, fault: tuple[str, str, str] | None, is_fair: bool
) -> None:
    owners = equal_owners()
    with simulation(tmp_path, STEADY, fault) as run:
        pixels = simulate(run, STEADY, owners).pixels
    assert (jain_index([pixels[owner.name] for owner in owners]) > 0.97) == is_fair, pixels


def test_items_of_workers_that_are_lost_or_late_are_made_by_others_and_published_once(tmp_path: Path) -> None:
    with simulation(tmp_path, UNRELIABLE) as run:
        outcome = simulate(run, UNRELIABLE, equal_owners())
        assert run.settle() == 0
    assert outcome.lost_attempts
    assert outcome.lost_attempts <= outcome.published
    assert outcome.refused


def test_items_that_a_fault_loses_are_missed(tmp_path: Path) -> None:
    with simulation(tmp_path, UNRELIABLE, FORGETFUL) as run:
        outcome = simulate(run, UNRELIABLE, equal_owners())
        run.settle()
    assert outcome.lost_attempts - outcome.published


def test_the_job_store_lives_in_the_time_that_it_is_told(redis_url: str, redis_client: object) -> None:  # noqa: ARG001
    clock = SimulatedTime()
    store = JobStore(clock.connect(redis_url), QueueSettings(lease_seconds=30))
    store.submit(job_spec("j"))
    clock.seconds += 5
    batch = claim_batch(store)
    assert batch.items[0].waited_ms == 5000
    clock.seconds += 29
    assert store.reap().lost == ()
    clock.seconds += 2
    assert store.reap().lost == ("j:0",)
    assert store.commit([result_of(batch.items[0])]).published == (False,)


def test_the_scheduler_benchmark_prints_a_row_for_each_number_of_workers() -> None:
    command = [
        "bench",
        "scheduler",
        "--workers",
        "10",
        "--workers",
        "30",
        "--pictures",
        "400",
        "--rate",
        "50",
        "--json",
    ]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert [row["workers"] for row in figures["rows"]] == [10, 30]
    for row in figures["rows"]:
        assert row["items_lost"] == 0
        assert row["pictures_per_second"] == pytest.approx(50 * row["workers"], rel=0.35)
        assert 0 < row["claim_p50_us"] <= row["claim_p99_us"]
        assert row["redis_cores"] == pytest.approx(row["redis_us_per_picture"] * row["pictures_per_second"] / 1e6)
