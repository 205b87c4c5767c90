"""How much the queue takes in, on a real Redis-protocol server: its caps and the server's memory."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from support.jobs import claim, claim_batch, finish, job_spec, result_of
from workers.errors import JobExpiredError, JobUnknownError, QueueFullError, QueueUnavailableError
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.messages import State
from workers.redis_client import RedisClient
from workers.settings import QueueSettings


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
