"""Items that wait for a model that was removed: when they fail, and when they wait on."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from model_store.registry import CARD_FILE, Registry
from model_store.versions import remove_version
from support.bench import Bench
from support.bulk_jobs import submit as submit_bulk
from support.jobs import job_spec
from support.models import add_small_model
from workers.absent_models import AbsentModels
from workers.messages import State
from workers.presence import PresenceWriter, WorkerCounts
from workers.stores import Stores

PATIENT_LOOKS = 3

Worker = Callable[..., AbsentModels]


@pytest.fixture
def worker(bench: Bench) -> Worker:
    """A worker with a models folder of its own."""
    stores = Stores(
        client=bench.client,
        job_store=bench.store,
        job_reader=bench.reader,
        object_store=bench.objects,
        recorder=bench.recorder,
        filler=bench.filler,
    )

    def worker(name: str, folder: Path | None) -> AbsentModels:
        return AbsentModels(
            stores, registry=Registry(folder), worker=name, stop=threading.Event(), patient_looks=PATIENT_LOOKS
        )

    return worker


@pytest.fixture
def behind(worker: Worker) -> AbsentModels:
    """Has what ships with the program."""
    return worker("behind", None)


def submit(bench: Bench, job_id: str, items: int = 1, *, model: str = "z", **changes: object) -> None:
    bench.store.submit(job_spec(job_id, items, model=model, **changes))


def look(worker: AbsentModels, times: int) -> None:
    for _ in range(times):
        worker.look()


def test_items_of_a_model_that_nobody_has_fail_after_a_while(bench: Bench, behind: AbsentModels) -> None:
    submit(bench, "z", 300)
    submit(bench, "other", model="landscape")
    look(behind, PATIENT_LOOKS)
    assert bench.reader.job("z").state is State.QUEUED
    behind.look()
    assert bench.reader.job("z").counts[State.FAILED] == 300
    item = bench.reader.item("z", 299)
    assert item.reason == "model-unusable"
    assert item.detail is not None
    assert item.detail.startswith("there is no model 'z' any more: no worker has had it for 1.5 minutes; submit")
    assert bench.reader.job("other").state is State.QUEUED
    assert bench.store.unrecorded_jobs() == [], "its record is stored"


def test_items_of_a_bulk_job_that_come_in_later_fail_too(bench: Bench, behind: AbsentModels) -> None:
    submit_bulk(bench, "j", 60, model="z")
    bench.filler.fill("j", next_step=lambda _: False)
    look(behind, PATIENT_LOOKS)
    bench.filler.fill("j")
    behind.look()
    assert bench.reader.job("j").counts[State.FAILED] == 60


def test_a_worker_speaks_for_the_models_that_it_has_whichever_it_serves(
    bench: Bench, worker: Worker, behind: AbsentModels, tmp_path: Path
) -> None:
    ahead = worker("ahead", tmp_path)
    submit(bench, "j")
    look(behind, PATIENT_LOOKS)
    add_small_model(tmp_path, "z")
    ahead.look()
    look(behind, PATIENT_LOOKS)
    assert bench.reader.job("j").state is State.QUEUED
    remove_version(tmp_path, "z", "1")
    ahead.look()
    behind.look()
    assert bench.reader.job("j").state is State.FAILED


def test_a_model_with_a_damaged_card_is_there(bench: Bench, worker: Worker, tmp_path: Path) -> None:
    add_small_model(tmp_path, "z")
    (tmp_path / "z" / "1" / CARD_FILE).write_text("{")
    submit(bench, "j")
    look(worker("alone", tmp_path), 2 * PATIENT_LOOKS)
    assert bench.reader.job("j").state is State.QUEUED


def test_a_model_that_a_worker_says_it_serves_is_waited_for(bench: Bench, behind: AbsentModels) -> None:
    other = PresenceWriter(
        bench.client,
        worker="other",
        device=lambda: "cpu",
        engine="local",
        models=lambda: ("z",),
        counts=WorkerCounts,
    )
    submit(bench, "j")
    other.say()
    look(behind, 2 * PATIENT_LOOKS)
    assert bench.reader.job("j").state is State.QUEUED
    other.leave()
    look(behind, PATIENT_LOOKS)
    assert bench.reader.job("j").state is State.QUEUED
    behind.look()
    assert bench.reader.job("j").state is State.FAILED


def test_a_model_for_which_the_api_accepts_jobs_is_waited_for(bench: Bench, behind: AbsentModels) -> None:
    submit(bench, "first")
    look(behind, PATIENT_LOOKS)
    submit(bench, "second")
    look(behind, PATIENT_LOOKS)
    assert bench.reader.job("first").state is State.QUEUED
    behind.look()
    assert [bench.reader.job(name).state for name in ("first", "second")] == [State.FAILED] * 2


def test_one_worker_at_a_time_asks_and_the_next_begins_anew(bench: Bench, worker: Worker) -> None:
    first, second = worker("first", None), worker("second", None)
    submit(bench, "j")
    for _ in range(PATIENT_LOOKS):
        first.look()
        second.look()
    bench.store.unreserve("*absent models*", holder="first")
    look(second, PATIENT_LOOKS)
    assert bench.reader.job("j").state is State.QUEUED
    second.look()
    assert bench.reader.job("j").state is State.FAILED
