"""Bulk jobs on the queue's side: brought in, broken off anywhere, computed, recorded, lost, audited, forgotten."""

import itertools
import json
import threading

import numpy as np
import pytest

from spade.label_images import encode_ids_png
from support.bench import SIZE, Bench
from support.bulk_jobs import audit, submit
from support.jobs import OWNER, claim, claim_batch, job_spec
from support.recovery import Recoverer
from workers.dead_letters import DeadLetters
from workers.errors import JobExpiredError, QueueUnavailableError
from workers.filling import Filler
from workers.messages import CancelOutcome, State, job_prefix
from workers.recovery import Outcome
from workers.redis_client import PREFIX


@pytest.fixture
def lost(bench: Bench) -> Recoverer:
    return Recoverer.of(bench)


def test_maps_are_read_where_they_lie_and_one_that_cannot_be_used_fails_alone(bench: Bench) -> None:
    submit(bench, "j", 5, stored=4)
    bad = np.zeros((4, 4), np.uint16)
    bad[1, 2:] = 77
    bench.objects.put("inputs/j/00001.png", encode_ids_png(bad))
    bench.objects.put("inputs/j/00002.png", b"no picture")
    bench.filler.fill("j")
    bench.pipeline.drain(seconds=60)
    items = bench.reader.items(bench.reader.job("j"))
    assert [item.state for item in items] == [
        State.SUCCEEDED,
        State.FAILED,
        State.FAILED,
        State.SUCCEEDED,
        State.FAILED,
    ]
    assert [item.reason for item in items if item.reason] == [
        "invalid-label-map",
        "invalid-label-map",
        "input-unreadable",
    ]
    assert "77: 2 pixels in box [2, 1, 4, 2]" in (items[1].detail or "")
    assert bench.reader.job("j").state is State.FAILED


def test_filling_may_be_broken_off_anywhere_and_done_by_several_at_once(bench: Bench) -> None:
    submit(bench, "j", 3000)
    for steps in (1, 2, 3):
        left = itertools.count(steps - 1, -1)
        bench.filler.fill("j", next_step=lambda _, left=left: next(left) > 0)
        job = bench.reader.job("j")
        assert (job.state, job.counts[State.QUEUED]) == (State.QUEUED, 3000)
    assert bench.reader.job("j").filled == 6 * 25
    fillers = [Filler(bench.client, store=bench.store, objects=bench.objects) for _ in range(3)]
    threads = [threading.Thread(target=filler.fill, args=("j",)) for filler in fillers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    job = bench.reader.job("j")
    assert job.filled == job.total == 3000
    items = [item for page in bench.reader.pages(job) for item in page]
    assert [item.label_map_key for item in items] == [f"inputs/j/{number:05}.png" for number in range(3000)]
    assert sum(bench.reader.stats().queues[0].waiting.values()) == bench.reader.stats().open_items == 3000
    assert bench.client.zcard(f"{PREFIX}filling") == 0


def test_one_worker_at_a_time_fills_and_wakes_the_others_as_it_goes(bench: Bench) -> None:
    submit(bench, "j", 600)
    woken: list[str] = []
    bench.store.reserve("*filling*", holder="another", seconds=30)
    bench.filler.fill_all(holder="me", wake=woken.append, stop=threading.Event())
    assert woken == []
    bench.store.unreserve("*filling*", holder="another")
    bench.filler.fill_all(holder="me", wake=woken.append, stop=threading.Event())
    assert woken == ["landscape"] * (600 // 25)  # the last step too, or a small job would wait for the reaper
    assert bench.reader.job("j").filled == 600


def test_items_are_computed_while_others_still_come_in_and_the_job_ends_only_with_the_last(bench: Bench) -> None:
    submit(bench, "j", 30, stored=30)
    bench.filler.fill("j", next_step=lambda _: False)
    bench.pipeline.drain(seconds=60)
    job = bench.reader.job("j")
    assert (job.state, job.counts[State.SUCCEEDED], job.counts[State.QUEUED]) == (State.RUNNING, 25, 5)
    bench.filler.fill("j")
    bench.pipeline.drain(seconds=60)
    assert bench.reader.job("j").state is State.SUCCEEDED


def test_a_bulk_job_does_not_starve_another_owners_one_map(bench: Bench) -> None:
    submit(bench, "many", 3000, owner="ann")
    bench.filler.fill("many")
    claim(bench.store)
    bench.store.submit(job_spec("one", 1, owner="bob", height=SIZE, width=SIZE))
    batch = claim(bench.store).batch
    assert batch is not None
    assert "one" in {item.job_id for item in batch.items}


def test_caps_count_a_bulk_job_whole_from_the_start(bench: Bench) -> None:
    submit(bench, "j", 2000)
    assert bench.reader.stats().open_items == 2000


def test_thousands_that_are_too_late_are_ended_some_at_a_time(bench: Bench) -> None:
    submit(bench, "late", 1200, deadline_seconds=0.0)
    bench.filler.fill("late")
    taken = claim(bench.store)
    assert (taken.batch, taken.more_waiting) == (None, "landscape")
    assert bench.reader.job("late").counts[State.EXPIRED] == 500
    bench.pipeline.drain(seconds=60)
    assert bench.reader.job("late").state is State.EXPIRED


def test_after_a_loss_of_redis_a_bulk_job_goes_on_without_doing_anything_again(lost: Recoverer) -> None:
    bench = lost.bench
    submit(bench, "j", 60, stored=60)
    bench.objects.put("inputs/j/00001.png", b"no picture")
    bench.filler.fill("j")
    done = set(lost.work(batches=5))
    bench.recorder.record_leftovers()
    before = bench.reader.items(bench.reader.job("j"))
    bench.client.flushall()
    requeued = lost.recovery.requeue()
    assert requeued.jobs == {Outcome.OPENED: 1}
    assert requeued.items[State.FAILED] == 1
    again = lost.work()
    assert not done & set(again)
    after = bench.reader.items(bench.reader.job("j"))
    assert after[1] == before[1]
    counts = bench.reader.job("j").counts
    assert (counts[State.SUCCEEDED], counts[State.FAILED]) == (59, 1)
    assert audit(lost) == {}


def test_a_requeue_that_is_broken_off_is_finished_by_a_worker(lost: Recoverer, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = lost.bench
    submit(bench, "j", 60, stored=60)
    bench.filler.fill("j")
    done = lost.work(batches=5)
    bench.client.flushall()
    fill = bench.filler.fill

    def broken_off(job_id: str) -> None:
        fill(job_id, next_step=lambda _: False)
        raise QueueUnavailableError("killed")

    monkeypatch.setattr(bench.filler, "fill", broken_off)
    with pytest.raises(QueueUnavailableError):
        lost.recovery.requeue()
    monkeypatch.undo()
    bench.filler.fill_all(holder="w", wake=bench.woken.append, stop=threading.Event())
    assert bench.reader.job("j").counts[State.SUCCEEDED] == len(done)
    assert len(lost.work()) == 60 - len(done)


def test_an_ended_bulk_job_comes_back_ended_with_every_result(lost: Recoverer) -> None:
    bench = lost.bench
    submit(bench, "j", 30, stored=30)
    bench.filler.fill("j")
    lost.work()
    before = bench.reader.items(bench.reader.job("j"))
    finished = bench.reader.job("j").finished_ms
    bench.client.flushall()
    assert lost.recovery.requeue().jobs == {Outcome.ENDED: 1}
    job = bench.reader.job("j")
    assert (job.state, job.finished_ms) == (State.SUCCEEDED, finished)
    assert bench.reader.items(job) == before
    assert audit(lost) == {}


def test_what_fails_while_a_lost_job_comes_back_is_journaled_too(
    lost: Recoverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = lost.bench
    submit(bench, "j", 60)
    bench.client.flushall()
    with monkeypatch.context() as only_a_step:
        fill = bench.filler.fill
        only_a_step.setattr(bench.filler, "fill", lambda job_id: fill(job_id, next_step=lambda _: False))
        lost.recovery.requeue()
    bench.store.fail(claim_batch(bench.store, items=1).items, reason="out-of-memory", detail="too large")
    bench.filler.fill("j")
    bench.recorder.record_leftovers()
    bench.client.flushall()
    lost.recovery.requeue()
    assert bench.reader.item("j", 0).state is State.FAILED


def test_a_retried_dead_letter_of_a_bulk_job_is_retried_still_after_a_loss_of_redis(lost: Recoverer) -> None:
    bench = lost.bench
    submit(bench, "j", 2)
    bench.filler.fill("j")
    while (batch := claim(bench.store).batch) is not None:
        bench.recorder.record(bench.store.lose(batch.items, detail="it crashed"))
    letters = DeadLetters(bench.client, reader=bench.reader, repairs=lost.repairs, recorder=bench.recorder)
    letters.retry(["j:0"])
    bench.client.flushall()
    lost.recovery.requeue()
    assert bench.states("j") == [State.QUEUED, State.FAILED]
    assert letters.ids() == ["j:1"]


def test_the_journal_has_every_item_that_ended_once(bench: Bench) -> None:
    submit(bench, "j", 9, stored=8)
    bench.filler.fill("j")
    bench.pipeline.drain(seconds=60)
    bench.recorder.record_leftovers()
    lines = [
        json.loads(line)
        for key in bench.objects.keys(f"{job_prefix('j')}record/")
        for line in bench.objects.get(key).splitlines()
    ]
    assert sorted(line["index"] for line in lines) == list(range(9))
    assert bench.store.unrecorded_jobs() == []


def test_a_cancel_that_is_broken_off_between_two_ranges_is_finished_by_the_next(lost: Recoverer) -> None:
    bench = lost.bench
    submit(bench, "j", 2500)
    bench.filler.fill("j")
    outcomes, ended = bench.store.cancel("j", owner=OWNER)
    assert outcomes == [CancelOutcome.DEQUEUED] * 2500
    assert ended == ("j",)
    assert bench.store.cancel("j", owner=OWNER)[0] == outcomes
    bench.recorder.record(ended)
    assert audit(lost) == {}


def test_forgetting_thousands_is_done_some_at_a_time_and_goes_on_where_it_was_broken_off(bench: Bench) -> None:
    submit(bench, "j", 2500)
    bench.filler.fill("j")
    bench.store.cancel("j", owner=OWNER)
    run = bench.store._scripts.run
    assert run("forget", "j", 60, 1000) == 1500
    with pytest.raises(JobExpiredError):
        bench.reader.job("j")
    assert bench.store.jobs_past_retention() == ["j"]
    bench.store.forget("j")
    assert bench.store.jobs_past_retention() == []
    assert bench.client.keys(f"{PREFIX}item:*") == []


def test_an_audit_finds_what_is_wrong_in_any_range_of_a_large_job(lost: Recoverer) -> None:
    bench = lost.bench
    submit(bench, "j", 2200)
    bench.filler.fill("j")
    bench.client.hset(f"{PREFIX}job:j", mapping={"queued": "2000"})
    kinds = [fault.kind for fault in lost.repairs.audit("j", fix=True)]
    assert kinds == ["counts-wrong"]
    bench.client.delete(f"{PREFIX}item:j:1500")
    assert [fault.where for fault in lost.repairs.audit("j", fix=False)] == ["j:1500"]
