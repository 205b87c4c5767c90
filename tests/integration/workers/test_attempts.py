"""How attempts end, on a real Redis-protocol server: published, lost, given back, canceled, expired."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.servers import RedisServer, new_password
from support.jobs import claim, claim_batch, expire_leases, finish, job_spec, result_of
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.messages import CancelOutcome, State, picture_key
from workers.redis_client import PREFIX, RedisClient, connect
from workers.settings import QueueSettings


def test_a_late_commit_is_refused_and_the_newer_one_stands(
    job_store: JobStore, redis_client: RedisClient, reader: JobReader
) -> None:
    job_store.submit(job_spec("j"))
    late = claim_batch(job_store, worker="late").items[0]
    expire_leases(redis_client)
    assert len(job_store.reap().lost) == 1
    newer = claim_batch(job_store, worker="newer").items[0]
    assert newer.fence > late.fence
    assert job_store.commit([result_of(late)]).published == (False,)
    assert job_store.commit([result_of(newer)]).published == (True,)
    assert job_store.commit([result_of(late)]).published == (False,)
    assert reader.item("j", 0).picture_key == picture_key("j", 0, newer.fence, "png")
    assert reader.job("j").counts[State.SUCCEEDED] == 1


def test_a_redis_that_lost_its_last_seconds_gives_no_fence_twice(tmp_path: Path) -> None:
    server = RedisServer(folder=tmp_path / "redis", port=free_port(), password=new_password())
    with Child(server, log=tmp_path / "redis.log") as child, closing(connect(server.url)) as client:
        store = JobStore(client, QueueSettings())
        store.submit(job_spec("j", 2))
        claim_batch(store, items=1)
        child.kill()
        shutil.copytree(server.folder, tmp_path / "kept")
        child.start()
        child.wait_ready()
        lost = claim_batch(store, items=1, worker="late").items[0]
        child.kill()
        shutil.rmtree(server.folder)
        shutil.copytree(tmp_path / "kept", server.folder)
        child.start()
        child.wait_ready()
        again = claim_batch(store, items=1).items[0]
        assert (again.id, again.fence > lost.fence) == (lost.id, True)
        assert store.commit([result_of(lost)]).published == (False,)


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
    assert len(job_store.reap().lost) == 0


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
    assert len(job_store.reap().lost) == 4
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


def test_items_past_their_deadline_expire_without_a_worker(
    job_store: JobStore, redis_client: RedisClient, reader: JobReader
) -> None:
    job_store.submit(job_spec("reaped", 2, deadline_seconds=60))
    job_store.submit(job_spec("in time", 1, deadline_seconds=3600))
    for index in range(2):
        redis_client.zadd(f"{PREFIX}deadlines", {f"reaped:{index}": 1})
    reaped = job_store.reap()
    assert (set(reaped.expired), reaped.ended_jobs) == ({"reaped:0", "reaped:1"}, ("reaped",))
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
