"""Jobs accepted and handed out, on a real Redis-protocol server: batches and their order."""

from collections import Counter

import pytest

from support.jobs import claim, claim_batch, finish, job_spec, result_of
from workers.errors import JobExistsError, QueueUnavailableError
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.messages import JobSpec, Priority, State, picture_key
from workers.redis_client import PREFIX, RedisClient, connect
from workers.settings import QueueSettings


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


def test_a_second_job_of_the_same_id_is_refused_with_the_first_ones_digest(job_store: JobStore) -> None:
    job_store.submit(job_spec("j"))
    with pytest.raises(JobExistsError) as refused:
        job_store.submit(job_spec("j", 2))
    assert refused.value.request_digest == "digest of j"


def test_a_reservation_is_its_holders_until_it_runs_out(job_store: JobStore, redis_client: RedisClient) -> None:
    assert job_store.reserve("j", holder="a", seconds=60)
    assert job_store.reserve("j", holder="a", seconds=60)  # the answer to the first call was lost
    assert not job_store.reserve("j", holder="b", seconds=60)
    job_store.unreserve("j", holder="b")
    assert job_store.keep_reserved("j", holder="a", seconds=60)
    redis_client.delete(f"{PREFIX}reserved:j")
    assert not job_store.keep_reserved("j", holder="a", seconds=60)
    assert job_store.reserve("j", holder="b", seconds=60)


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
