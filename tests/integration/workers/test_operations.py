"""What operators read: newest jobs and failures, use by owner, and which workers there are."""

import json
from itertools import count

import pytest

from support.jobs import OWNER, claim_batch, finish, job_spec
from workers.figures import FailureReason
from workers.job_store import JobStore
from workers.operations import MOST_OWNERS, OperationsReader
from workers.presence import MISSING_SECONDS, Presence, PresenceWriter, WorkerCounts, WorkerView
from workers.redis_client import PREFIX, RedisClient, connect
from workers.repairs import Repairs


@pytest.fixture
def operations(redis_client: RedisClient) -> OperationsReader:
    return OperationsReader(redis_client)


def test_the_newest_hundred_jobs_of_everybody_are_listed(job_store: JobStore, operations: OperationsReader) -> None:
    for number in range(105):
        job_store.submit(job_spec(f"j{number:03}", owner=f"owner-{number % 2}"))
    listed = [job.id for job in operations.recent_jobs(1000)]
    assert len(listed) == 100
    assert set(listed) <= {f"j{number:03}" for number in range(105)}
    assert [job.owner for job in operations.recent_jobs(1)] in (["owner-0"], ["owner-1"])


def test_owners_are_so_many_at_most_and_those_who_wait_first(
    job_store: JobStore, operations: OperationsReader, redis_client: RedisClient
) -> None:
    """Each is a label of metrics."""
    uses = {f"pictures:owner-{number:04}": number for number in range(1, MOST_OWNERS + 100)}
    redis_client.hset(f"{PREFIX}used", mapping=uses)
    job_store.submit(job_spec("j", owner="newcomer"))
    listed = operations.owners()
    assert len(listed) == MOST_OWNERS
    assert [use.owner for use in listed[:2]] == ["newcomer", "owner-0101"]


def test_a_job_that_was_removed_is_not_listed(job_store: JobStore, operations: OperationsReader) -> None:
    for name in ("kept", "removed"):
        job_store.submit(job_spec(name))
        finish(job_store, claim_batch(job_store))
    job_store.forget("removed")
    assert [job.id for job in operations.recent_jobs(10)] == ["kept"]


def test_failures_tell_job_item_and_reason_newest_first(job_store: JobStore, operations: OperationsReader) -> None:
    job_store.submit(job_spec("j", 3))
    batch = claim_batch(job_store, items=3)
    job_store.fail(batch.items[:1], reason=FailureReason.INPUT_UNREADABLE, detail="no such object")
    job_store.fail(batch.items[1:2], reason=FailureReason.OUT_OF_MEMORY, detail="too large")
    told = {(f.job.id, f.item.index, f.item.reason, f.item.detail) for f in operations.failures(10)}
    assert told == {("j", 0, "input-unreadable", "no such object"), ("j", 1, "out-of-memory", "too large")}
    job_store.fail(batch.items[2:], reason=FailureReason.OUT_OF_MEMORY, detail="too large")
    job_store.forget("j")
    assert operations.failures(10) == []


def test_a_retried_dead_letter_is_no_failure_any_more(
    job_store: JobStore, operations: OperationsReader, redis_client: RedisClient
) -> None:
    job_store.submit(job_spec("j"))
    while not operations.failures(1):
        job_store.lose(claim_batch(job_store, items=1).items, detail="killed")
    assert [f.item.reason for f in operations.failures(10)] == ["poison"]
    Repairs(redis_client).retry([("j:0", "")])
    assert operations.failures(10) == []


def test_use_is_told_by_owner(job_store: JobStore, operations: OperationsReader) -> None:
    spec = job_spec("j", 3)
    job_store.submit(spec, input_bytes=100)
    finish(job_store, claim_batch(job_store, items=2))
    (use,) = operations.owners()
    assert (use.owner, use.pictures, use.open_items) == (OWNER, 2, 1)
    assert use.pixels == 2 * spec.pixels
    assert use.stored_bytes > 100


def test_memory_is_told_with_its_limit(operations: OperationsReader) -> None:
    memory = operations.memory()
    assert memory is not None
    assert memory.used_bytes > 0
    assert memory.limit_bytes == 0


def writer(client: RedisClient, name: str, counts: WorkerCounts) -> PresenceWriter:
    return PresenceWriter(
        client,
        worker=name,
        device=lambda: "cpu",
        engine="local",
        models=lambda: ("landscape",),
        counts=lambda: counts,
    )


def test_a_worker_tells_what_it_serves_and_whether_it_is_busy(
    redis_client: RedisClient, operations: OperationsReader
) -> None:
    seconds = count(100)
    busy = PresenceWriter(
        redis_client,
        worker="busy",
        device=lambda: "cuda",
        engine="local",
        models=lambda: ("landscape", "street"),
        counts=lambda: WorkerCounts(busy_seconds=next(seconds), pictures=7, pixels=70),
    )
    writer(redis_client, "idle", WorkerCounts()).say()
    busy.say()
    first, second = operations.workers()
    assert (first.name, first.presence, first.busy_share) == ("busy", Presence.BUSY, 1.0)
    assert (first.device, first.models, first.counts.pictures) == ("cuda", ("landscape", "street"), 7)
    assert (second.name, second.presence) == ("idle", Presence.IDLE)
    assert first.started == first.seen


def test_a_worker_that_says_nothing_is_gone_and_one_that_leaves_is_not_listed(
    redis_client: RedisClient, operations: OperationsReader
) -> None:
    for name in ("killed", "left"):
        writer(redis_client, name, WorkerCounts()).say()
    age(redis_client, "killed", MISSING_SECONDS + 1)
    writer(redis_client, "left", WorkerCounts()).leave()
    assert [(w.name, w.presence) for w in operations.workers()] == [("killed", Presence.GONE)]


def test_a_worker_that_is_long_gone_is_forgotten_by_the_next_that_speaks(
    redis_client: RedisClient, operations: OperationsReader
) -> None:
    writer(redis_client, "killed", WorkerCounts()).say()
    age(redis_client, "killed", 601)
    assert operations.workers() == []
    writer(redis_client, "next", WorkerCounts()).say()
    assert set(redis_client.hgetall(f"{PREFIX}workers")) == {"next"}
    assert redis_client.zrange(f"{PREFIX}seen", 0, -1) == ["next"]


def test_what_a_worker_of_another_version_says_hides_no_other(
    redis_client: RedisClient, operations: OperationsReader
) -> None:
    writer(redis_client, "ours", WorkerCounts()).say()
    text = redis_client.hget(f"{PREFIX}workers", "ours") or ""
    alien = json.dumps({**json.loads(text), "gpu_memory": 3})
    redis_client.hset(f"{PREFIX}workers", mapping={"newer": alien, "broken": "{", "older": "{}"})
    assert [w.name for w in operations.workers()] == ["ours"]
    writer(redis_client, "ours", WorkerCounts()).say()
    assert [w.name for w in operations.workers()] == ["ours"]


def test_a_redis_that_does_not_tell_its_memory_is_no_error(redis_client: RedisClient, redis_url: str) -> None:
    redis_client.execute_command("ACL", "SETUSER", "quiet", "on", ">secret", "~*", "+@all", "-info")  # type: ignore[attr-defined]
    address = redis_url.rpartition("@")[2]
    assert OperationsReader(connect(f"redis://quiet:secret@{address}")).memory() is None
    redis_client.execute_command("ACL", "DELUSER", "quiet")  # type: ignore[attr-defined]


def age(client: RedisClient, name: str, seconds: float) -> None:
    text = client.hget(f"{PREFIX}workers", name)
    assert text is not None
    view = WorkerView.from_json(text, now=0)
    older = text.replace(str(view.seen), str(view.seen - seconds))
    client.hset(f"{PREFIX}workers", mapping={name: older})
    client.zadd(f"{PREFIX}seen", {name: view.seen - seconds}, xx=True)
