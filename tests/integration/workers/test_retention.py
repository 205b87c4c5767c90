"""Retention under faults: the record goes at once, the objects as soon as the object store lets them go."""

import threading
from pathlib import Path

import pytest

from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import Worker
from support.bench import Bench
from support.fault_proxy import FaultProxy
from support.jobs import OWNER, claim_batch, expire_leases, finish, job_spec, result_of
from support.waiting import wait_until
from workers.errors import JobExpiredError, StorageUnavailableError
from workers.job_store import JobStore
from workers.messages import job_prefix
from workers.redis_client import RedisClient
from workers.retention import Retention
from workers.settings import QueueSettings, StorageSettings
from workers.storage import ObjectStore


@pytest.fixture
def store(redis_client: RedisClient) -> JobStore:
    """Keeps nothing that has ended."""
    return JobStore(redis_client, QueueSettings(retention_seconds=0))


def make_pictures(client: RedisClient, objects: ObjectStore, *job_ids: str) -> Bench:
    bench = Bench(client, objects)
    for job_id in job_ids:
        bench.submit(job_id, 2)
    bench.pipeline.drain(seconds=60)
    for job_id in job_ids:
        assert len(bench.pictures(job_id)) == 2
    return bench


def stored(objects: ObjectStore, job_id: str) -> list[str]:
    return list(objects.keys(job_prefix(job_id)))


def test_after_retention_record_and_objects_are_gone_and_the_job_is_known_as_removed(
    redis_client: RedisClient, objects: ObjectStore, store: JobStore
) -> None:
    bench = make_pictures(redis_client, objects, "old")
    bench.submit("waits", 1)
    Retention(store=store, objects=objects).enforce()
    with pytest.raises(JobExpiredError):
        bench.reader.job("old")
    with pytest.raises(JobExpiredError):
        store.submit(job_spec("old"))
    assert stored(objects, "old") == store.doomed_jobs() == []
    assert stored(objects, "waits")


def test_while_the_object_store_is_away_a_job_is_removed_already_and_its_objects_follow(
    redis_client: RedisClient, own_s3: tuple[Child, StorageSettings], store: JobStore
) -> None:
    server, settings = own_s3
    objects = ObjectStore(settings)
    bench = make_pictures(redis_client, objects, "a", "b")
    server.kill()
    retention = Retention(store=store, objects=objects)
    with pytest.raises(StorageUnavailableError):
        retention.enforce()
    for job_id in ("a", "b"):
        with pytest.raises(JobExpiredError):
            bench.reader.job(job_id)
    server.start()
    server.wait_ready()
    retention.enforce()
    assert stored(objects, "a") == stored(objects, "b") == store.doomed_jobs() == []


def test_an_object_that_cannot_be_removed_does_not_hold_up_the_others(
    redis_client: RedisClient, stubborn: tuple[FaultProxy, ObjectStore], store: JobStore
) -> None:
    proxy, objects = stubborn
    make_pictures(redis_client, objects, "first", "second", "third")
    proxy.undeletable = b"jobs/first/pictures/1-"
    retention = Retention(store=store, objects=objects)
    for _ in range(2):
        retention.enforce()
        assert stored(objects, "second") == stored(objects, "third") == []
        assert store.doomed_jobs() == ["first"]
    proxy.undeletable = b""
    retention.enforce()
    assert stored(objects, "first") == store.doomed_jobs() == []


def test_what_could_not_be_removed_is_tried_after_the_others(
    redis_client: RedisClient, stubborn: tuple[FaultProxy, ObjectStore], store: JobStore
) -> None:
    proxy, objects = stubborn
    make_pictures(redis_client, objects, "a", "b")
    proxy.undeletable = b"jobs/a/"
    store.forget("a")
    store.forget("b")
    assert store.doomed_jobs() == ["a", "b"]
    store.note_removal("a", done=False)
    assert store.doomed_jobs() == ["b", "a"]


def test_one_worker_at_a_time_removes_and_none_that_is_told_to_stop(
    redis_client: RedisClient, objects: ObjectStore, store: JobStore
) -> None:
    make_pictures(redis_client, objects, "a")
    retention, never, stop = Retention(store=store, objects=objects), threading.Event(), threading.Event()
    store.reserve("*retention*", holder="another", seconds=30)
    retention.take_turn(holder="w", stop=never)
    assert stored(objects, "a")
    store.unreserve("*retention*", holder="another")
    stop.set()
    retention.take_turn(holder="w", stop=stop)
    assert stored(objects, "a")
    retention.take_turn(holder="w", stop=never)
    assert stored(objects, "a") == store.doomed_jobs() == []


def test_while_the_object_store_hangs_over_deletions_a_worker_takes_back_what_another_lost(
    redis_client: RedisClient,
    own_s3: tuple[Child, StorageSettings],
    stubborn: tuple[FaultProxy, ObjectStore],
    service_environment: dict[str, str],
    tmp_path: Path,
) -> None:
    proxy, objects = stubborn
    bench = make_pictures(redis_client, objects, "a", "b", "c", "d")
    for job_id in ("a", "b", "c", "d"):
        bench.store.forget(job_id)
    keys = {"SPADE_S3_ACCESS_KEY": own_s3[1].access_key, "SPADE_S3_SECRET_KEY": own_s3[1].secret_key}
    told = {"SPADE_S3_ENDPOINT": proxy.endpoint, "SPADE_WORKER_MODELS": "landscape", "SPADE_LEASE_SECONDS": "2"}
    program = Worker(number=1, port=free_port(), service=service_environment | keys | told)
    proxy.unanswered = b"jobs/"
    with Child(program, log=tmp_path / "worker.log"):
        wait_until(proxy.hanging.is_set, "the worker waits for a deletion")
        bench.store.submit(job_spec("j"))
        claim_batch(bench.store, worker="dead")
        expire_leases(redis_client)
        wait_until(lambda: bench.reader.item("j", 0).attempts > 1, "the worker has the item", seconds=15)
        proxy.pause.set()


def test_a_picture_that_comes_after_retention_is_refused_as_one_to_be_removed(
    redis_client: RedisClient, store: JobStore
) -> None:
    store.submit(job_spec("j"))
    late = claim_batch(store, worker="late").items[0]
    expire_leases(redis_client)
    store.reap()
    finish(store, claim_batch(store))
    store.forget("j")
    commit = store.commit([result_of(late)])
    assert (commit.published, commit.unknown) == ((False,), (False,))


def test_a_job_that_is_open_again_is_not_removed(redis_client: RedisClient, store: JobStore) -> None:
    store.submit(job_spec("j"))
    store.forget("j")
    store.cancel("j", owner=OWNER)
    assert store.doomed_jobs() == []
    assert redis_client.exists("{spade}:job:j")
