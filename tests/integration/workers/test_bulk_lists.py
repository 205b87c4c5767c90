"""The frozen list of a bulk job's label maps, where it is harmed or cannot be had."""

import threading
from pathlib import Path

import pytest

from model_store.registry import Registry
from support.bench import Bench
from support.bulk_jobs import submit
from support.fault_proxy import FaultProxy, Mode
from support.jobs import claim_batch, job_spec
from workers.bulk import listing_key
from workers.bulk_inputs import BulkInputs, MapReading
from workers.errors import StorageUnavailableError
from workers.figures import FailureReason
from workers.messages import State, spec_key
from workers.redis_client import RedisClient
from workers.sent_maps import InputError, SentMaps
from workers.storage import ObjectStore


@pytest.mark.parametrize("list_of_maps", [None, b'["inputs/j/0.png"', b'["inputs/j/0.png", null]\n'])
def test_items_whose_list_is_gone_or_damaged_fail_with_its_name(bench: Bench, list_of_maps: bytes | None) -> None:
    spec = job_spec("j", 0, bulk=BulkInputs(maps=2, variations=1, seed=0))
    bench.objects.put(spec_key("j"), spec.to_json().encode())
    if list_of_maps is not None:
        bench.objects.put(listing_key("j", 0), list_of_maps)
    bench.store.submit(spec)
    bench.filler.fill("j")
    bench.pipeline.drain(seconds=60)
    assert bench.reader.job("j").state is State.FAILED
    for item in bench.reader.items(bench.reader.job("j")):
        assert (item.state, "00000.jsonl" in item.file + (item.detail or "")) == (State.FAILED, True)


def test_maps_of_a_model_whose_card_is_damaged_fail_with_that_reason(bench: Bench, tmp_path: Path) -> None:
    card = tmp_path / "landscape" / "1" / "card.json"
    card.parent.mkdir(parents=True)
    card.write_text("{")
    submit(bench, "j", 1, stored=1)
    bench.filler.fill("j")
    batch = claim_batch(bench.store)
    maps = SentMaps(bench.objects, Registry(None, built_in=tmp_path), batch)
    with pytest.raises(InputError, match="model landscape@1 cannot be used") as caught:
        maps.read(batch.items[0], MapReading())
    assert caught.value.reason is FailureReason.MODEL_UNUSABLE


def test_maps_of_a_model_that_was_replaced_since_fail_with_that_reason(bench: Bench) -> None:
    submit(bench, "j", 1, stored=1, weights_digest="0" * 64)
    bench.filler.fill("j")
    bench.pipeline.drain(seconds=60)
    item = bench.reader.item("j", 0)
    assert item.reason == FailureReason.MODEL_UNUSABLE
    assert "model landscape@1 was replaced since the job was submitted" in (item.detail or "")


def fill_all(bench: Bench) -> None:
    bench.filler.fill_all(holder="w", wake=bench.woken.append, stop=threading.Event())


def two_jobs(redis_client: RedisClient, objects: ObjectStore) -> Bench:
    """Bulk jobs `a` and `b`, of which no item has come in yet."""
    bench = Bench(redis_client, objects)
    for name in ("a", "b"):
        submit(bench, name, 2)
    return bench


def test_a_list_that_cannot_be_had_keeps_no_other_job_waiting(
    redis_client: RedisClient, stubborn: tuple[FaultProxy, ObjectStore]
) -> None:
    proxy, objects = stubborn
    bench = two_jobs(redis_client, objects)
    proxy.unreadable = b"jobs/a/listing/"
    fill_all(bench)
    assert [bench.reader.job(name).filled for name in ("a", "b")] == [0, 2]
    proxy.unreadable = b""
    fill_all(bench)
    assert bench.reader.job("a").filled == 2


def test_while_the_object_store_is_away_no_job_is_asked_for_in_vain(
    redis_client: RedisClient, stubborn: tuple[FaultProxy, ObjectStore]
) -> None:
    proxy, objects = stubborn
    bench = two_jobs(redis_client, objects)
    proxy.mode = Mode.ERROR
    with pytest.raises(StorageUnavailableError):
        fill_all(bench)


def test_items_come_in_though_the_description_is_gone(bench: Bench) -> None:
    submit(bench, "j", 2)
    bench.objects.delete(spec_key("j"))
    bench.filler.fill("j")
    assert bench.states("j") == [State.QUEUED, State.QUEUED]
