"""Redis has lost everything: the queue is rebuilt from the object store, and nothing that has ended is done again."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.bench import Bench
from support.fault_proxy import FaultProxy
from support.jobs import OWNER, claim, claim_batch, job_spec
from support.recovery import NOW_MS, Recoverer
from workers.errors import JobUnknownError, QueueUnavailableError
from workers.messages import JobView, State, label_map_key, picture_key, record_key, spec_key
from workers.operations import OperationsReader
from workers.recovery import Outcome
from workers.redis_client import PREFIX, RedisClient
from workers.repairs import RestoredJob
from workers.storage import ObjectStore


@pytest.fixture
def lost(bench: Bench) -> Recoverer:
    return Recoverer.of(bench)


def assert_totals_balance(bench: Bench) -> None:
    stats = bench.reader.stats()
    count = {state: sum(t.count for t in stats.totals if t.kind == "items" and t.state == state) for state in State}
    accepted = sum(t.count for t in stats.totals if t.kind == "items" and t.state == "accepted")
    assert accepted == sum(count.values()) + stats.open_items


def test_jobs_in_all_states_come_back_and_no_item_is_computed_twice(lost: Recoverer) -> None:
    lost.jobs_in_all_states()
    bench = lost.bench
    names = ("done", "failed", "partly-failed", "canceled", "expired", "partly", "waiting")
    before = {name: bench.reader.items(bench.reader.job(name)) for name in names}
    computed = {item for batch in bench.engine.batches for item in batch}
    bench.client.flushall()
    requeued = lost.recovery.requeue()
    assert requeued.jobs == {Outcome.ENDED: 5, Outcome.OPENED: 2}
    assert_totals_balance(bench)
    again = lost.work()
    assert sorted(again) == ["partly:4", "partly:5", "partly:6", "waiting:0", "waiting:1"]
    assert not computed & set(again)
    assert_totals_balance(bench)
    after = {name: bench.reader.items(bench.reader.job(name)) for name in names}
    for name in ("done", "failed", "partly-failed", "canceled", "expired"):
        assert after[name] == before[name], name
    assert [(i.digest, i.picture_key) for i in after["partly"][:4]] == [
        (i.digest, i.picture_key) for i in before["partly"][:4]
    ]
    succeeded = sum(item.state is State.SUCCEEDED for items in after.values() for item in items)
    assert sum(use.pictures for use in OperationsReader(bench.client).owners()) == succeeded
    for name, items in after.items():  # events tell of every item that has ended, whichever side of the loss
        settled = bench.reader.settled_items(bench.reader.job(name), start=0, count=99)
        assert sorted(item.index for item in settled) == list(range(len(items)))
    assert bench.reader.job("partly").state is bench.reader.job("waiting").state is State.SUCCEEDED
    assert bench.store.unrecorded_jobs() == []
    assert all(record_key(name) in set(bench.objects.keys("jobs/")) for name in names)


def test_what_was_recorded_of_an_ended_job_can_be_read_again(lost: Recoverer) -> None:
    lost.submit("j", 2, labels={"a": "b"}, deadline_seconds=3600.0)
    lost.work()
    before = lost.bench.reader.job("j")
    lost.bench.client.flushall()
    lost.recovery.requeue()
    after = lost.bench.reader.job("j")
    assert _without_changes(after) == _without_changes(before)
    assert after.changes > before.changes
    assert [job.id for job in lost.bench.reader.jobs(OWNER)] == ["j"]


def _without_changes(job: JobView) -> dict:
    return {name: getattr(job, name) for name in JobView.__slots__ if name != "changes"}


def test_of_several_pictures_of_an_item_the_one_of_the_newest_fence_is_its_result(lost: Recoverer) -> None:
    lost.store("j", 1)
    for fence in (9, 10, 8):
        lost.bench.objects.put(picture_key("j", 0, fence, "png"), str(fence).encode())
    lost.recovery.requeue()
    item = lost.bench.reader.item("j", 0)
    assert (item.state, item.picture_key) == (State.SUCCEEDED, picture_key("j", 0, 10, "png"))
    assert (item.digest, item.size_bytes) == (hashlib.sha256(b"10").hexdigest(), 2)
    assert lost.bench.reader.job("j").state is State.SUCCEEDED


def test_new_fences_are_above_those_of_stored_pictures_whatever_the_clock_says(lost: Recoverer) -> None:
    lost.store("j", 2)
    ahead = 5 * 10**15
    lost.bench.objects.put(picture_key("j", 0, ahead, "png"), b"x")
    lost.recovery.requeue()
    assert claim_batch(lost.bench.store).items[0].fence > ahead


def test_a_failed_item_of_an_open_job_is_not_tried_again_but_a_retried_one_is(lost: Recoverer) -> None:
    bench = lost.bench
    lost.submit("j", 3)
    items = [claim_batch(bench.store, items=1).items[0] for _ in range(2)]
    bench.store.fail(items, reason="poison", detail="it crashed")
    bench.recorder.record_leftovers()
    later = items[1].fence + 1
    bench.objects.put(picture_key("j", 1, later, "png"), b"of a later attempt")
    bench.client.flushall()
    lost.recovery.requeue()
    assert lost.states("j") == [State.FAILED, State.SUCCEEDED, State.QUEUED]
    assert bench.reader.item("j", 0).detail == "it crashed"
    assert bench.reader.stats().dead_letters == 1
    assert bench.reader.job("j").state is State.RUNNING


def test_inputs_without_a_description_are_no_job(lost: Recoverer) -> None:
    lost.bench.objects.put(label_map_key("refused", 0), b"x")
    assert lost.recovery.requeue().jobs == {Outcome.NOT_ACCEPTED: 1}
    with pytest.raises(JobUnknownError):
        lost.bench.reader.job("refused")


def test_a_damaged_description_is_told_and_the_others_come_back(lost: Recoverer) -> None:
    lost.bench.objects.put(spec_key("damaged"), b"{")
    lost.store("good", 1)
    requeued = lost.recovery.requeue()
    assert (requeued.jobs, requeued.unreadable) == ({Outcome.UNREADABLE: 1, Outcome.OPENED: 1}, ["damaged"])


def test_one_object_that_cannot_be_had_keeps_no_other_job_from_coming_back(
    redis_client: RedisClient, stubborn: tuple[FaultProxy, ObjectStore]
) -> None:
    proxy, objects = stubborn
    lost = Recoverer.of(Bench(redis_client, objects))
    for name in ("a", "b"):
        lost.submit(name, 1)
    lost.work()
    redis_client.flushall()
    proxy.unreadable = b"jobs/a/pictures/"
    objects.delete(record_key("a"))
    requeued = lost.recovery.requeue()
    assert (requeued.jobs, requeued.unreadable) == ({Outcome.UNREADABLE: 1, Outcome.ENDED: 1}, ["a"])
    proxy.unreadable = b""
    assert lost.recovery.requeue().jobs == {Outcome.ENDED: 1, Outcome.KNOWN: 1}


def test_a_record_of_another_job_of_that_id_counts_for_nothing(lost: Recoverer) -> None:
    lost.submit("j", 1)
    lost.work()
    lost.bench.objects.delete_prefix("jobs/j/pictures/")
    lost.bench.client.flushall()
    lost.store("j", 1, request_digest="of another one")
    lost.recovery.requeue()
    assert lost.states("j") == [State.QUEUED]


def test_deadlines_go_on_from_when_the_job_was_accepted(lost: Recoverer) -> None:
    lost.store("late", 1, created_ms=1000, deadline_seconds=60.0)
    lost.store("in-time", 1, deadline_seconds=60.0)
    lost.recovery.requeue()
    assert lost.bench.reader.job("in-time").deadline_ms == NOW_MS + 60_000
    taken = claim(lost.bench.store)
    assert taken.ended_jobs == ("late",)
    assert lost.bench.reader.job("late").state is State.EXPIRED


def test_running_it_twice_or_twice_at_once_changes_nothing(lost: Recoverer) -> None:
    for number in range(20):
        lost.store(f"j{number:02}", 2)
    with ThreadPoolExecutor(3) as pool:
        passes = list(pool.map(lambda _: lost.recovery.requeue(), range(3)))
    assert sum(done.jobs[Outcome.OPENED] for done in passes) == 20
    assert lost.recovery.requeue().jobs == {Outcome.KNOWN: 20}
    assert lost.bench.reader.stats().open_items == 40
    assert len(lost.work()) == 40


def test_broken_off_in_the_middle_it_goes_on_when_run_again(lost: Recoverer, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        lost.store(f"j{number}", 2)
    restore = lost.repairs.restore

    def restore_three(job: RestoredJob) -> object:
        if job.spec.id == "j3":
            raise QueueUnavailableError("gone again")
        return restore(job)

    monkeypatch.setattr(lost.repairs, "restore", restore_three)
    with pytest.raises(QueueUnavailableError):
        lost.recovery.requeue()
    monkeypatch.undo()
    assert lost.recovery.requeue().jobs == {Outcome.KNOWN: 3, Outcome.OPENED: 2}
    assert len(lost.work()) == 10


def test_new_jobs_meanwhile_and_jobs_being_submitted_are_left_alone(lost: Recoverer) -> None:
    lost.store("old", 1)
    lost.submit("new", 1)
    lost.store("being-put", 1)
    lost.bench.store.reserve("being-put", holder="h", seconds=30)
    assert lost.recovery.requeue().jobs == {Outcome.OPENED: 1, Outcome.KNOWN: 1, Outcome.BEING_SUBMITTED: 1}
    assert sorted(lost.work()) == ["new:0", "old:0"]


def test_a_worker_that_outlived_the_loss_publishes_what_it_had_in_hand(lost: Recoverer) -> None:
    lost.submit("j", 1)

    def lose_redis(_: object) -> None:
        if len(lost.bench.engine.batches) == 1:
            lost.bench.client.flushall()

    lost.bench.engine.before = lose_redis
    lost.bench.pipeline.drain(seconds=60)
    lost.recovery.requeue()
    assert lost.states("j") == [State.SUCCEEDED]
    assert lost.work() == []


def test_caps_do_not_hold_for_what_was_accepted_already(lost: Recoverer) -> None:
    lost.store("j", 3)
    lost.bench.client.hset(f"{PREFIX}open", mapping={"items": "200000", f"items:{OWNER}": "100000"})
    assert lost.recovery.requeue().jobs == {Outcome.OPENED: 1}


def test_a_removed_job_stays_removed(lost: Recoverer) -> None:
    lost.submit("j", 1)
    lost.work()
    lost.bench.store.forget("j")
    assert lost.recovery.requeue().jobs == {Outcome.GONE: 1}


def test_ended_jobs_are_removed_when_their_time_is_over(lost: Recoverer) -> None:
    lost.bench.store.submit(job_spec("j", 1, height=8, width=8))
    lost.store("j", 1)
    lost.work()
    score = lost.bench.client.zscore(f"{PREFIX}ended", "j")
    lost.bench.client.flushall()
    lost.recovery.requeue()
    assert lost.bench.client.zscore(f"{PREFIX}ended", "j") == score
