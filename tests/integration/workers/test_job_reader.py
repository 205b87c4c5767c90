"""What is read of jobs, and how long they are kept, on a real Redis-protocol server."""

import threading

import pytest

from support.jobs import OWNER, claim, claim_batch, finish, job_spec
from workers.errors import JobExpiredError, JobUnknownError
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.messages import Priority, State
from workers.redis_client import PREFIX, RedisClient
from workers.settings import QueueSettings


def test_nobody_cancels_or_reads_the_job_of_another(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j", owner="ann"))
    with pytest.raises(JobUnknownError):
        job_store.cancel("j", owner="bob")
    with pytest.raises(JobUnknownError):
        reader.job("j", owner="bob")
    with pytest.raises(JobUnknownError):
        job_store.cancel("none", owner="bob")
    assert reader.job("j", owner="ann").state is State.QUEUED


def test_a_forgotten_job_is_gone_for_its_owner_and_unknown_to_others(
    redis_client: RedisClient, reader: JobReader
) -> None:
    store = JobStore(redis_client, QueueSettings(retention_seconds=0))
    store.submit(job_spec("j", 2))
    finish(store, claim_batch(store))
    assert store.jobs_past_retention() == ["j"]
    store.forget("j")
    assert store.jobs_past_retention() == []
    with pytest.raises(JobExpiredError):
        reader.job("j", owner="ann")
    with pytest.raises(JobUnknownError):
        reader.job("j", owner="bob")
    with pytest.raises(JobExpiredError):
        store.submit(job_spec("j"))
    assert list(reader.jobs("ann")) == []
    left = redis_client.keys(f"{PREFIX}item:*")
    assert left == []


def test_unfinished_jobs_are_never_past_retention(redis_client: RedisClient) -> None:
    store = JobStore(redis_client, QueueSettings(retention_seconds=0))
    store.submit(job_spec("j"))
    claim(store)
    assert store.jobs_past_retention() == []


def test_jobs_are_listed_newest_first_also_within_one_millisecond(
    job_store: JobStore, redis_client: RedisClient, reader: JobReader
) -> None:
    for number in range(250):
        job_store.submit(job_spec(f"j{number:03}"))
    redis_client.zadd(f"{PREFIX}jobs:ann", {f"j{number:03}": 1000 + number // 120 for number in range(250)})
    for number in range(250):
        redis_client.hset(f"{PREFIX}job:j{number:03}", mapping={"created_ms": str(1000 + number // 120)})
    expected = [f"j{number:03}" for number in reversed(range(250))]
    assert [job.id for job in reader.jobs("ann")] == expected
    assert [job.id for job in reader.jobs("ann", before=(1001, "j200"))] == expected[50:]
    assert list(reader.jobs("bob")) == []


def test_position_counts_what_is_ahead_and_eta_needs_a_rate(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("urgent", 2, priority=Priority.INTERACTIVE))
    job_store.submit(job_spec("first", 3))
    job_store.submit(job_spec("second", 2))
    where = reader.position(reader.job("second"))
    assert where is not None
    assert (where.position, where.eta_seconds) == (5, None)
    finish(job_store, claim_batch(job_store, items=2))
    where = reader.position(reader.job("second"))
    assert where is not None
    assert where.position == 3
    assert where.eta_seconds is not None
    assert 125 <= where.eta_seconds <= 150  # five items; two were done in the last minute, counted over 50 to 60 s
    assert reader.position(reader.job("urgent")) is None


def test_a_waiting_reader_is_woken_by_the_change(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j"))
    woken = []
    with reader.listening("j") as changed:
        waiter = threading.Thread(target=lambda: woken.append(changed(20)))
        waiter.start()
        finish(job_store, claim_batch(job_store))
        waiter.join(timeout=10)
    assert woken == [True]


def test_changes_that_were_not_waited_for_count_as_one(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j"))
    with reader.listening("j") as changed:
        finish(job_store, claim_batch(job_store))
        reader.ping()  # Redis hands out the news of a command before it answers the next one
        assert changed(10)
        assert not changed(0.05)


def test_waiting_ends_when_the_time_is_over(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j"))
    with reader.listening("j") as changed:
        assert not changed(0.05)


def test_items_are_told_in_the_order_in_which_they_were_settled(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j", 4))
    first, second = (claim_batch(job_store, items=1) for _ in range(2))
    finish(job_store, second)
    job_store.fail(first.items, reason="input", detail="damaged")
    job_store.cancel("j", owner=OWNER)
    job = reader.job("j")
    told = [(item.index, item.state) for item in reader.settled_items(job, start=0, count=10)]
    assert told == [(1, State.SUCCEEDED), (0, State.FAILED), (2, State.CANCELED), (3, State.CANCELED)]
    assert [item.index for item in reader.settled_items(job, start=1, count=2)] == [0, 2]
    assert reader.settled_items(job, start=4, count=2) == []


def test_a_forgotten_job_leaves_nothing_but_its_tombstone(
    job_store: JobStore, reader: JobReader, redis_client: RedisClient
) -> None:
    job_store.submit(job_spec("j"))
    finish(job_store, claim_batch(job_store))
    job_store.forget("j")
    with pytest.raises(JobExpiredError):
        reader.job("j")
    assert list(redis_client.keys(f"{PREFIX}*:j*")) == [f"{PREFIX}gone:j"]  # type: ignore[attr-defined]


def test_stats_count_what_waits_by_model_and_priority(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("a", 3, priority=Priority.BULK))
    job_store.submit(job_spec("b", 2, model="coco-stuff"))
    claim(job_store, items=1)
    stats = reader.stats()
    assert [(q.model, q.waiting[Priority.BULK], q.waiting[Priority.NORMAL]) for q in stats.queues] == [
        ("coco-stuff", 0, 2),
        ("landscape", 2, 0),
    ]
    assert (stats.leases, stats.open_items) == (1, 5)
    landscape = stats.queues[1]
    assert 0 < landscape.oldest_seconds[Priority.BULK] < 60
    assert landscape.oldest_seconds[Priority.NORMAL] == 0
    accepted = {(t.kind, t.model): t.count for t in stats.totals if t.state == "accepted"}
    assert accepted[("items", "landscape")] == 3
    assert accepted[("jobs", "coco-stuff")] == 1


def test_ended_jobs_stay_listed_until_their_record_is_stored(job_store: JobStore) -> None:
    job_store.submit(job_spec("j"))
    assert job_store.unrecorded_jobs() == []
    finish(job_store, claim_batch(job_store))
    assert job_store.unrecorded_jobs() == ["j"]
    assert job_store.mark_recorded("j", mark=job_store.record_mark("j"))
    assert job_store.unrecorded_jobs() == []


def test_a_rate_keeps_the_slots_of_the_last_minute_only(job_store: JobStore, redis_client: RedisClient) -> None:
    slots = f"{PREFIX}drain:landscape"
    job_store.submit(job_spec("j", 2))
    finish(job_store, claim_batch(job_store, items=1))
    (newest,) = redis_client.hgetall(slots)
    redis_client.delete(slots)
    redis_client.hset(slots, mapping={str(int(newest) - age): "1" for age in (3, 60, 600, 6000)})
    finish(job_store, claim_batch(job_store, items=1))
    assert min(redis_client.hgetall(slots), key=int) == str(int(newest) - 3)


def test_items_of_a_job_that_was_just_forgotten_are_gone(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j", 2))
    job_store.cancel("j", owner="ann")
    job = reader.job("j")
    job_store.forget("j")
    with pytest.raises(JobExpiredError):
        reader.items(job)


def test_one_worker_at_a_time_is_the_reaper(job_store: JobStore) -> None:
    assert job_store.is_reaper(worker="a", seconds=60)
    assert not job_store.is_reaper(worker="b", seconds=60)
