"""The job store's transitions on a real Redis-protocol server."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.jobs import job_spec, result_of
from workers.errors import JobExistsError, JobExpiredError, JobUnknownError, QueueFullError, QueueUnavailableError
from workers.job_reader import JobReader
from workers.job_store import Claim, JobStore
from workers.messages import Batch, CancelOutcome, JobSpec, Priority, State, picture_key
from workers.redis_client import PREFIX, RedisClient, connect
from workers.settings import QueueSettings


def claim(store: JobStore, *, items: int = 8, models: tuple[str, ...] = ("landscape",), worker: str = "w1") -> Claim:
    return store.claim(worker=worker, device="cpu", models=models, max_items=items, max_pixels=10**9)


def claim_batch(store: JobStore, **options: object) -> Batch:
    batch = claim(store, **options).batch
    assert batch is not None
    return batch


def finish(store: JobStore, batch: Batch) -> None:
    assert all(store.commit([result_of(item) for item in batch.items]).published)


def expire_leases(client: RedisClient) -> None:
    """Move every lease into the past: a stand-in for waiting."""
    for item in client.zrange(f"{PREFIX}leases", 0, -1):
        client.zadd(f"{PREFIX}leases", {item: 1})


def test_an_item_is_claimed_committed_and_read_back(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j", labels={"who": "me"}))
    batch = claim_batch(job_store)
    assert (batch.model, batch.model_version, batch.height, batch.width) == ("landscape", "1", 256, 256)
    assert reader.job("j").state is State.RUNNING
    commit = job_store.commit([result_of(batch.items[0])])
    assert commit.published == (True,)
    assert commit.ended_jobs == ("j",)
    job, item = reader.job("j"), reader.item("j", 0)
    assert (job.state, job.labels, job.total) == (State.SUCCEEDED, {"who": "me"}, 1)
    assert job.started_ms is not None
    assert job.finished_ms is not None
    assert (item.state, item.attempts, item.timings) == (State.SUCCEEDED, 1, {"compute": 0.5})
    assert item.picture_key == picture_key("j", 0, batch.items[0].fence, "png")
    assert reader.stats().open_items == 0


def test_counts_add_up_through_every_state(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j", 4))
    batch = claim_batch(job_store, items=3)
    job_store.fail(batch.items[:1], reason="input-unreadable", detail="no such object")
    finish_one = job_store.commit([result_of(batch.items[1])])
    assert finish_one.ended_jobs == ()
    counts = reader.job("j").counts
    assert {state: counts[state] for state in State if counts[state]} == {
        State.QUEUED: 1,
        State.RUNNING: 1,
        State.SUCCEEDED: 1,
        State.FAILED: 1,
    }
    assert reader.item("j", 0).reason == "input-unreadable"


def test_a_job_with_a_failed_item_fails_and_keeps_the_other_results(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j", 2))
    batch = claim_batch(job_store)
    job_store.commit([result_of(batch.items[1])])
    assert job_store.fail(batch.items[:1], reason="model-unusable", detail="x") == ("j",)
    assert reader.job("j").state is State.FAILED
    assert reader.item("j", 1).picture_key is not None


def test_items_of_different_jobs_share_a_batch_and_different_sizes_do_not(job_store: JobStore) -> None:
    job_store.submit(job_spec("a", 2))
    job_store.submit(job_spec("b", 2, height=512))
    job_store.submit(job_spec("c", 2))
    first = claim(job_store)
    assert first.batch is not None
    assert [item.job_id for item in first.batch.items] == ["a", "a", "c", "c"]
    assert first.more_waiting == "landscape"
    second = claim(job_store)
    assert second.batch is not None
    assert {item.job_id for item in second.batch.items} == {"b"}
    assert second.batch.height == 512
    assert second.more_waiting is None


def test_a_worker_gets_only_items_of_models_it_serves(job_store: JobStore) -> None:
    job_store.submit(job_spec("a", model="coco-stuff"))
    assert claim(job_store).batch is None
    assert claim_batch(job_store, models=("landscape", "coco-stuff")).model == "coco-stuff"


def test_a_batch_keeps_to_the_pixel_budget_but_never_below_one_item(job_store: JobStore) -> None:
    job_store.submit(job_spec("a", 5))
    by_pixels = job_store.claim(
        worker="w", device="cpu", models=["landscape"], max_items=8, max_pixels=2 * 256 * 256 + 1
    )
    assert by_pixels.batch is not None
    assert len(by_pixels.batch.items) == 2
    tiny = job_store.claim(worker="w", device="cpu", models=["landscape"], max_items=8, max_pixels=1)
    assert tiny.batch is not None
    assert len(tiny.batch.items) == 1


def test_a_lowered_ceiling_is_remembered_for_the_device_and_bucket(job_store: JobStore) -> None:
    job_store.submit(job_spec("a", 8))
    batch = claim_batch(job_store, items=8)
    assert job_store.lower_ceiling(device="cpu", bucket=batch.bucket, batch_size=8) == 4
    job_store.release(batch.items)
    assert len(claim_batch(job_store, items=8).items) == 4
    elsewhere = job_store.claim(worker="g", device="cuda", models=["landscape"], max_items=8, max_pixels=10**9)
    assert elsewhere.batch is not None
    assert len(elsewhere.batch.items) == 4  # the four that are left, not held down by the other device


def test_more_urgent_classes_are_served_first_and_fill_up_with_less_urgent_items(job_store: JobStore) -> None:
    job_store.submit(job_spec("bulk", 2, priority=Priority.BULK))
    job_store.submit(job_spec("normal", 2))
    job_store.submit(job_spec("now", 2, priority=Priority.INTERACTIVE))
    batch = claim_batch(job_store, items=5)
    assert [item.job_id for item in batch.items] == ["now", "now", "normal", "normal", "bulk"]


def test_an_owner_with_many_items_does_not_starve_another(job_store: JobStore) -> None:
    job_store.submit(job_spec("many", 100, owner="ann"))
    finish(job_store, claim_batch(job_store, items=20))
    job_store.submit(job_spec("few", 3, owner="bob"))
    batch = claim_batch(job_store, items=6)
    assert Counter(item.job_id for item in batch.items) == {"many": 3, "few": 3}


def test_fairness_counts_pixels_not_items(job_store: JobStore) -> None:
    job_store.submit(job_spec("large", 8, owner="ann", height=512, width=512))
    job_store.submit(job_spec("small", 8, owner="bob"))
    served: Counter[str] = Counter()
    for _ in range(10):
        batch = claim_batch(job_store, items=1)
        served[batch.items[0].job_id] += 1
    assert served == {"large": 2, "small": 8}


def test_an_owner_that_idles_earns_no_credit(job_store: JobStore) -> None:
    job_store.submit(job_spec("a", 50, owner="ann"))
    finish(job_store, claim_batch(job_store, items=40))
    job_store.submit(job_spec("b", 50, owner="bob"))
    served = Counter(claim_batch(job_store, items=1).items[0].job_id for _ in range(10))
    assert served == {"a": 5, "b": 5}


def test_a_late_commit_is_refused_and_the_newer_one_stands(
    job_store: JobStore, redis_client: RedisClient, reader: JobReader
) -> None:
    job_store.submit(job_spec("j"))
    late = claim_batch(job_store, worker="late").items[0]
    expire_leases(redis_client)
    assert job_store.reap().lost == 1
    newer = claim_batch(job_store, worker="newer").items[0]
    assert newer.fence > late.fence
    assert job_store.commit([result_of(late)]).published == (False,)
    assert job_store.commit([result_of(newer)]).published == (True,)
    assert job_store.commit([result_of(late)]).published == (False,)
    assert reader.item("j", 0).picture_key == picture_key("j", 0, newer.fence, "png")
    assert reader.job("j").counts[State.SUCCEEDED] == 1


def test_a_commit_whose_answer_was_lost_may_be_repeated(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j"))
    item = claim_batch(job_store).items[0]
    assert job_store.commit([result_of(item)]).ended_jobs == ("j",)
    again = job_store.commit([result_of(item)])
    assert again.published == (True,)
    assert again.ended_jobs == ()
    assert reader.job("j").counts[State.SUCCEEDED] == 1


def test_renewed_leases_are_not_reaped(job_store: JobStore, redis_client: RedisClient) -> None:
    job_store.submit(job_spec("j"))
    items = claim_batch(job_store).items
    expire_leases(redis_client)
    assert job_store.advance(items) == [True]
    assert job_store.reap().lost == 0


def test_an_item_that_kills_its_worker_thrice_alone_is_poison(
    job_store: JobStore, redis_client: RedisClient, reader: JobReader
) -> None:
    job_store.submit(job_spec("bad"))
    for _ in range(3):
        assert len(claim_batch(job_store).items) == 1
        expire_leases(redis_client)
        job_store.reap()
    item = reader.item("bad", 0)
    assert (item.state, item.reason, item.attempts) == (State.FAILED, "poison", 3)
    assert "w1" in (item.detail or "")
    assert reader.stats().dead_letters == 1
    assert claim(job_store).batch is None


def test_items_of_a_batch_that_died_are_run_alone_before_any_is_blamed(
    job_store: JobStore, redis_client: RedisClient, reader: JobReader
) -> None:
    job_store.submit(job_spec("j", 4))
    assert len(claim_batch(job_store).items) == 4
    expire_leases(redis_client)
    assert job_store.reap().lost == 4
    tried: list[int] = []
    while (batch := claim(job_store).batch) is not None:
        assert len(batch.items) == 1
        tried.append(batch.items[0].index)
        if batch.items[0].index == 2:  # the bad one
            job_store.lose(batch.items, detail="crash")
        else:
            finish(job_store, batch)
    assert tried == [0, 1, 2, 3, 2, 2]
    assert [item.state for item in reader.items(reader.job("j"))] == [
        State.SUCCEEDED,
        State.SUCCEEDED,
        State.FAILED,
        State.SUCCEEDED,
    ]
    assert reader.item("j", 2).detail == "crash"


def test_released_items_return_to_their_place_without_blame(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("first", 1))
    job_store.submit(job_spec("second", 1))
    for _ in range(5):
        job_store.release(claim_batch(job_store, items=1).items)
    assert claim_batch(job_store, items=1).items[0].job_id == "first"
    assert reader.item("first", 0).state is State.RUNNING


def test_an_item_that_was_to_run_alone_still_does_after_a_release(job_store: JobStore) -> None:
    job_store.submit(job_spec("j", 3))
    job_store.lose(claim_batch(job_store).items, detail="crash")
    job_store.release(claim_batch(job_store).items)
    assert [len(claim_batch(job_store).items) for _ in range(3)] == [1, 1, 1]


def test_postponed_items_come_after_the_others_and_alone(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j", 4))
    job_store.postpone(claim_batch(job_store, items=2).items)
    order = [[item.index for item in claim_batch(job_store).items] for _ in range(3)]
    assert order == [[2, 3], [0], [1]]
    assert reader.job("j").counts[State.RUNNING] == 4


def test_cancel_tells_the_truth_about_every_item(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j", 4))
    done = claim_batch(job_store, items=1)
    finish(job_store, done)
    computing = claim_batch(job_store, items=1)
    job_store.advance(computing.items, stage="computing")
    claimed = claim_batch(job_store, items=1)
    outcomes, ended = job_store.cancel("j", owner="ann")
    assert outcomes == [
        CancelOutcome.TOO_LATE,
        CancelOutcome.DISCARDED,
        CancelOutcome.REMOVED_FROM_BATCH,
        CancelOutcome.DEQUEUED,
    ]
    assert ended == ("j",)
    assert job_store.advance(claimed.items, stage="computing") == [False]
    assert job_store.commit([result_of(computing.items[0])]).published == (False,)
    job = reader.job("j")
    assert (job.state, job.counts[State.CANCELED], job.counts[State.SUCCEEDED]) == (State.CANCELED, 3, 1)
    assert reader.stats().leases == 0
    assert claim(job_store).batch is None


def test_a_cancel_whose_answer_was_lost_may_be_repeated(job_store: JobStore) -> None:
    job_store.submit(job_spec("j", 3))
    finish(job_store, claim_batch(job_store, items=1))
    job_store.advance(claim_batch(job_store, items=1).items, stage="computing")
    first, _ = job_store.cancel("j", owner="ann")
    assert job_store.cancel("j", owner="ann")[0] == first
    assert first == [CancelOutcome.TOO_LATE, CancelOutcome.DISCARDED, CancelOutcome.DEQUEUED]


def test_nobody_cancels_or_reads_the_job_of_another(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j", owner="ann"))
    with pytest.raises(JobUnknownError):
        job_store.cancel("j", owner="bob")
    with pytest.raises(JobUnknownError):
        reader.job("j", owner="bob")
    with pytest.raises(JobUnknownError):
        job_store.cancel("none", owner="bob")
    assert reader.job("j", owner="ann").state is State.QUEUED


def test_items_past_their_deadline_expire_without_a_worker(
    job_store: JobStore, redis_client: RedisClient, reader: JobReader
) -> None:
    job_store.submit(job_spec("reaped", 2, deadline_seconds=60))
    job_store.submit(job_spec("in time", 1, deadline_seconds=3600))
    for index in range(2):
        redis_client.zadd(f"{PREFIX}deadlines", {f"reaped:{index}": 1})
    reaped = job_store.reap()
    assert (reaped.expired, reaped.ended_jobs) == (2, ("reaped",))
    assert reader.job("reaped").state is State.EXPIRED
    assert claim_batch(job_store).items[0].job_id == "in time"


def test_a_claim_expires_late_items_instead_of_handing_them_out(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("late", 3, deadline_seconds=0))
    job_store.submit(job_spec("good", 1))
    taken = claim(job_store)
    assert taken.batch is not None
    assert [item.job_id for item in taken.batch.items] == ["good"]
    assert taken.ended_jobs == ("late",)
    assert reader.job("late").counts[State.EXPIRED] == 3


@pytest.mark.parametrize(
    ("caps", "scope", "unit"),
    [
        (QueueSettings(max_open_items=5), "service", "items"),
        (QueueSettings(max_open_pixels=5 * 65536), "service", "pixels"),
        (QueueSettings(max_owner_items=5), "owner", "items"),
        (QueueSettings(max_owner_pixels=5 * 65536), "owner", "pixels"),
    ],
)
def test_a_job_over_a_cap_is_refused_whole(
    redis_client: RedisClient, reader: JobReader, caps: QueueSettings, scope: str, unit: str
) -> None:
    store = JobStore(redis_client, caps)
    store.submit(job_spec("fits", 4))
    with pytest.raises(QueueFullError) as refused:
        store.submit(job_spec("too many", 2))
    assert (refused.value.scope, refused.value.unit) == (scope, unit)
    assert refused.value.retry_after_seconds >= 1
    assert reader.stats().open_items == 4
    with pytest.raises(JobUnknownError):
        reader.job("too many")
    finish(store, claim_batch(store))
    store.submit(job_spec("fits now", 2))


def test_caps_hold_when_many_submit_at_once(redis_client: RedisClient, reader: JobReader) -> None:
    store = JobStore(redis_client, QueueSettings(max_open_items=10))

    def submit(number: int) -> bool:
        try:
            store.submit(job_spec(f"j{number}", 3))
        except QueueFullError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        accepted = sum(pool.map(submit, range(40)))
    assert accepted == 3
    assert reader.stats().open_items == 9


def test_the_wait_named_by_a_full_queue_follows_the_measured_rate(redis_client: RedisClient) -> None:
    store = JobStore(redis_client, QueueSettings(max_open_items=1000))
    store.submit(job_spec("warm-up", 600))
    while (taken := claim(store, items=100)).batch is not None:
        finish(store, taken.batch)
    store.submit(job_spec("load", 1000))
    with pytest.raises(QueueFullError) as near:
        store.submit(job_spec("near", 10))
    with pytest.raises(QueueFullError) as far:
        store.submit(job_spec("far", 1000))
    assert near.value.retry_after_seconds < far.value.retry_after_seconds
    assert 80 <= far.value.retry_after_seconds <= 100  # 600 in the last minute, counted over 50 to 60 s


def test_a_second_job_of_the_same_id_is_refused_with_the_first_ones_digest(job_store: JobStore) -> None:
    job_store.submit(job_spec("j"))
    with pytest.raises(JobExistsError) as refused:
        job_store.submit(job_spec("j", 2))
    assert refused.value.request_digest == "digest of j"


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
    before = reader.job("j").changes
    woken = threading.Event()

    def wait() -> None:
        reader.wait_for_change("j", changes=before, seconds=20)
        woken.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    finish(job_store, claim_batch(job_store))
    waiter.join(timeout=10)
    assert woken.is_set()
    assert reader.job("j").changes > before


def test_waiting_ends_when_the_time_is_over(job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j"))
    reader.wait_for_change("j", changes=reader.job("j").changes, seconds=0.05)
    assert reader.job("j").state is State.QUEUED


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
    assert all(queue.oldest_seconds < 60 for queue in stats.queues)
    accepted = {(t.kind, t.model): t.count for t in stats.totals if t.state == "accepted"}
    assert accepted[("items", "landscape")] == 3
    assert accepted[("jobs", "coco-stuff")] == 1


def test_ended_jobs_stay_listed_until_their_record_is_stored(job_store: JobStore) -> None:
    job_store.submit(job_spec("j"))
    assert job_store.unrecorded_jobs() == []
    finish(job_store, claim_batch(job_store))
    assert job_store.unrecorded_jobs() == ["j"]
    job_store.mark_recorded("j")
    assert job_store.unrecorded_jobs() == []


def test_at_the_memory_limit_nothing_is_taken_in_and_what_was_taken_in_is_finished_and_forgotten(
    redis_client: RedisClient, reader: JobReader
) -> None:
    store = JobStore(redis_client, QueueSettings(retention_seconds=0))
    store.submit(job_spec("j", 3))
    redis_client.config_set("maxmemory", 1)
    try:
        with pytest.raises(QueueFullError):
            store.submit(job_spec("k"))
        with pytest.raises(QueueUnavailableError, match="OutOfMemory"):
            store.reserve("k", holder="a", seconds=1)
        assert store.is_reaper(worker="w", seconds=60)
        batch = claim_batch(store, items=2)
        store.advance(batch.items, stage="computing")
        store.release(batch.items[:1])
        assert store.commit([result_of(batch.items[1])]).published == (True,)
        store.cancel("j", owner="ann")
        assert reader.job("j").counts[State.SUCCEEDED] == 1
        store.forget("j")
    finally:
        redis_client.config_set("maxmemory", 0)
    with pytest.raises(JobExpiredError):
        reader.job("j")


def test_no_more_is_taken_in_than_redis_has_memory_to_finish(redis_client: RedisClient, reader: JobReader) -> None:
    store = JobStore(redis_client, QueueSettings())
    redis_client.config_set("maxmemory", redis_client.info("memory")["used_memory"] + 1_000_000)
    try:
        accepted = 0

        def submit_without_end() -> None:
            nonlocal accepted
            while True:
                store.submit(job_spec(f"j{accepted}", 5))
                accepted += 1

        with pytest.raises(QueueFullError) as refused:
            submit_without_end()
        while (batch := claim(store).batch) is not None:
            finish(store, batch)
        assert redis_client.info("memory")["used_memory"] < int(redis_client.config_get("maxmemory")["maxmemory"])
    finally:
        redis_client.config_set("maxmemory", 0)
    assert 10 <= accepted < 100
    assert refused.value.unit == "items"
    assert reader.stats().open_items == 0


def test_a_rate_keeps_the_slots_of_the_last_minute_only(job_store: JobStore, redis_client: RedisClient) -> None:
    slots = f"{PREFIX}drain:landscape"
    job_store.submit(job_spec("j", 2))
    finish(job_store, claim_batch(job_store, items=1))
    (newest,) = redis_client.hgetall(slots)
    redis_client.delete(slots)
    redis_client.hset(slots, mapping={str(int(newest) - age): "1" for age in (3, 60, 600, 6000)})
    finish(job_store, claim_batch(job_store, items=1))
    assert min(redis_client.hgetall(slots), key=int) == str(int(newest) - 3)


def test_a_reservation_is_its_holders_until_it_runs_out(job_store: JobStore, redis_client: RedisClient) -> None:
    assert job_store.reserve("j", holder="a", seconds=60)
    assert job_store.reserve("j", holder="a", seconds=60)  # the answer to the first call was lost
    assert not job_store.reserve("j", holder="b", seconds=60)
    job_store.unreserve("j", holder="b")
    assert job_store.keep_reserved("j", holder="a", seconds=60)
    redis_client.delete(f"{PREFIX}reserved:j")
    assert not job_store.keep_reserved("j", holder="a", seconds=60)
    assert job_store.reserve("j", holder="b", seconds=60)


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


def test_concurrent_claimers_never_get_the_same_item(redis_url: str, job_store: JobStore, reader: JobReader) -> None:
    job_store.submit(job_spec("j", 300))

    def work(number: int) -> list[int]:
        store = JobStore(connect(redis_url), QueueSettings())
        indices: list[int] = []
        while (batch := claim(store, items=5, worker=f"w{number}").batch) is not None:
            finish(store, batch)
            indices += [item.index for item in batch.items]
        return indices

    with ThreadPoolExecutor(4) as pool:
        everything = [index for indices in pool.map(work, range(4)) for index in indices]
    assert sorted(everything) == list(range(300))
    assert reader.job("j").state is State.SUCCEEDED


def test_redis_being_away_is_reported_as_such() -> None:
    nowhere = connect("redis://127.0.0.1:1/0")
    with pytest.raises(QueueUnavailableError):
        JobStore(nowhere, QueueSettings()).submit(job_spec("j"))
    with pytest.raises(QueueUnavailableError):
        JobReader(nowhere).stats()
    nowhere.close()


def test_a_spec_survives_its_json() -> None:
    spec = job_spec("j", 3, priority=Priority.BULK, labels={"a": "b"}, deadline_seconds=1.5)
    assert JobSpec.from_json(spec.to_json()) == spec
