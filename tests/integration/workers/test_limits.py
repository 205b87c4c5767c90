"""Rates, caps and quotas of single keys, counted in Redis."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.bench import Bench
from support.jobs import OWNER, claim_batch, finish, job_spec
from support.recovery import Recoverer
from support.waiting import wait_until
from workers.errors import QueueFullError, StorageQuotaError
from workers.limits import KeyLimits, Rate, RateLimiter
from workers.redis_client import PREFIX
from workers.scripts import Scripts

INPUT, PICTURE = 100, 3
QUOTA = KeyLimits(storage_bytes=250)


@pytest.fixture
def limiter(redis_client):
    return RateLimiter(Scripts(redis_client))


def stored(client):
    return int(client.hget(f"{PREFIX}stored", OWNER) or 0)


# Rates


def test_as_many_requests_as_the_rate_says_may_come_at_once_and_then_no_more(limiter):
    rate = Rate(requests=3, seconds=3600)
    states = [limiter.take("k", rate) for _ in range(5)]
    assert [state.allowed for state in states] == [True, True, True, False, False]
    assert [state.remaining for state in states] == [2, 1, 0, 0, 0]
    assert [state.retry_seconds for state in states] == [0, 0, 1200, 1200, 1200]
    assert [state.reset_seconds for state in states[:3]] == [1200, 2400, 3600]


def test_what_is_refused_does_not_count(limiter):
    rate = Rate(requests=1, seconds=3600)
    limiter.take("k", rate)
    waits = {limiter.take("k", rate).retry_seconds for _ in range(50)}
    assert waits <= {3600, 3599}


def test_requests_trickle_in_at_the_rate(limiter):
    rate = Rate(requests=20, seconds=1)
    began = time.monotonic()
    allowed = 0
    while time.monotonic() - began < 1.0:
        allowed += limiter.take("k", rate).allowed
    took = time.monotonic() - began
    assert 20 <= allowed <= 20 + 20 * took + 1


def test_keys_do_not_use_up_each_others_requests(limiter):
    rate = Rate(requests=1, seconds=3600)
    assert limiter.take("a", rate).allowed
    assert limiter.take("b", rate).allowed


def test_many_processes_together_let_no_more_through(limiter):
    rate = Rate(requests=10, seconds=3600)
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda _: limiter.take("k", rate), range(100)))
    assert sum(state.allowed for state in states) == 10


def test_nothing_is_kept_of_a_key_that_has_all_its_requests_again(limiter, redis_client):
    limiter.take("k", Rate(requests=1, seconds=1))
    wait_until(lambda: not redis_client.exists(f"{PREFIX}rate:k"), "it is forgotten", seconds=5)


# Caps


@pytest.mark.parametrize(
    ("limits", "unit"), [(KeyLimits(max_items=3), "items"), (KeyLimits(max_pixels=3 * 256 * 256), "pixels")]
)
def test_a_keys_own_cap_counts_instead_of_the_services(job_store, limits, unit):
    job_store.submit(job_spec("a", 3), limits=limits)
    with pytest.raises(QueueFullError, match=rf"at most [\d,]+ open {unit} per owner") as caught:
        job_store.submit(job_spec("b"), limits=limits)
    assert caught.value.retry_after_seconds >= 1
    job_store.submit(job_spec("c", 5, owner="ben"))


# Quotas


def test_inputs_and_pictures_count_and_are_given_back_when_the_job_is_removed(job_store, redis_client):
    job_store.submit(job_spec("a", 2), input_bytes=2 * INPUT)
    assert stored(redis_client) == 2 * INPUT
    finish(job_store, claim_batch(job_store))
    assert stored(redis_client) == 2 * INPUT + 2 * PICTURE
    job_store.forget("a")
    assert stored(redis_client) == 0


def test_a_job_beyond_the_quota_is_refused_whole_and_says_how_much_there_is(job_store, redis_client, reader):
    job_store.submit(job_spec("a", 2), limits=QUOTA, input_bytes=200)
    with pytest.raises(StorageQuotaError, match="200 bytes are stored and the job has 100 more") as caught:
        job_store.submit(job_spec("b"), limits=QUOTA, input_bytes=100)
    assert (caught.value.used_bytes, caught.value.quota_bytes) == (200, 250)
    assert stored(redis_client) == 200
    assert [job.id for job in reader.jobs(OWNER)] == ["a"]
    job_store.submit(job_spec("c"), limits=QUOTA, input_bytes=50)


def test_the_quota_holds_when_many_submit_at_once(job_store, redis_client):
    def submit(number: int) -> bool:
        try:
            job_store.submit(job_spec(f"j{number}"), limits=QUOTA, input_bytes=100)
        except StorageQuotaError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(submit, range(20))) == 2
    assert stored(redis_client) == 200


def test_a_picture_that_is_made_again_counts_once(redis_client, objects):
    stores = Recoverer.of(Bench(redis_client, objects))
    stores.submit("a", 1)
    stores.work()
    before = stored(redis_client)
    item = stores.bench.reader.item("a", 0)
    stores.repairs.retry([("a:0", item.picture_key)])
    assert stored(redis_client) == before - item.size_bytes
    stores.work()
    assert stored(redis_client) == before


def test_after_a_loss_of_redis_the_stored_bytes_are_counted_anew(redis_client, objects):
    stores = Recoverer.of(Bench(redis_client, objects))
    stores.jobs_in_all_states()
    before = stored(redis_client)
    real = sum(entry.size_bytes for entry in objects.objects("jobs/") if not entry.key.endswith(".json"))
    assert before == real > 0
    redis_client.flushall()
    stores.recovery.requeue()
    assert stored(redis_client) == before
