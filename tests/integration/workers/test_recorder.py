"""What became of jobs, as the object store is told."""

import json

import pytest

from support.bench import Bench
from support.jobs import OWNER, claim_batch, finish, job_spec, result_of
from workers.messages import JobView, State, record_key
from workers.redis_client import PREFIX


def recorded(bench: Bench, job_id: str) -> dict:
    return json.loads(bench.objects.get(record_key(job_id)))


def test_a_failed_item_is_recorded_before_its_job_ends(bench: Bench) -> None:
    bench.store.submit(job_spec("j", 3))
    failing = claim_batch(bench.store, items=1)
    bench.store.fail(failing.items, reason="input-unreadable", detail="torn")
    bench.recorder.record_leftovers()
    record = recorded(bench, "j")
    assert record["state"] == "running"
    assert [item["state"] for item in record["items"]] == ["failed", "queued", "queued"]
    assert (record["items"][0]["reason"], record["items"][0]["fence"]) == ("input-unreadable", failing.items[0].fence)
    assert bench.store.unrecorded_jobs() == []


def test_a_record_that_was_out_of_date_when_it_was_stored_is_written_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.store.submit(job_spec("j", 1))
    bench.store.submit(job_spec("k", 2))
    bench.store.fail(claim_batch(bench.store, items=1).items, reason="a", detail="")
    bench.store.fail(claim_batch(bench.store, items=1).items, reason="a", detail="")
    items = bench.reader.items

    def items_then_the_end(job: JobView) -> list:
        read = items(job)
        if job.id == "k" and not job.state.is_final:
            finish(bench.store, claim_batch(bench.store))
        return read

    monkeypatch.setattr(bench.reader, "items", items_then_the_end)
    bench.recorder.record_leftovers()
    assert recorded(bench, "k")["state"] == "failed"
    assert [item["state"] for item in recorded(bench, "k")["items"]] == ["failed", "succeeded"]
    assert bench.store.unrecorded_jobs() == []


def test_fences_rise_also_when_redis_has_lost_everything(bench: Bench) -> None:
    bench.store.submit(job_spec("j", 2))
    before = claim_batch(bench.store).items
    assert before[1].fence == before[0].fence + 1
    bench.client.flushall()
    bench.store.submit(job_spec("j", 1))
    assert claim_batch(bench.store).items[0].fence > before[1].fence


def test_the_picture_of_a_job_that_redis_has_lost_is_kept(bench: Bench) -> None:
    bench.submit("j", 1)
    bench.engine.before = lambda _: bench.client.flushall() and None
    bench.pipeline.drain(seconds=60)
    assert len(bench.pictures("j")) == 1


def test_a_commit_tells_a_refusal_from_a_job_that_is_not_known(bench: Bench) -> None:
    bench.store.submit(job_spec("j", 1))
    item = claim_batch(bench.store).items[0]
    bench.store.cancel("j", owner=OWNER)
    refused = bench.store.commit([result_of(item)])
    assert (refused.published, refused.unknown) == ((False,), (False,))
    bench.store.forget("j")
    assert bench.store.commit([result_of(item)]).unknown == (False,)  # its picture is to go, too
    bench.client.flushall()
    assert bench.store.commit([result_of(item)]).unknown == (True,)


def test_an_open_job_is_not_forgotten(bench: Bench) -> None:
    bench.store.submit(job_spec("j", 1))
    bench.store.forget("j")
    assert bench.reader.job("j").state is State.QUEUED
    assert bench.client.zcard(f"{PREFIX}waiting:landscape:1") == 1
