"""The worker's loop on a real Redis and a real object store: batches, overlap, cancel, stop."""

import dataclasses
import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from spade.label_images import encode_ids_png
from support.bench import SIZE, Bench
from support.jobs import OWNER, job_spec
from support.waiting import wait_until
from workers.inputs import Inputs
from workers.messages import ItemSpec, State, label_map_key, record_key


def test_every_item_is_computed_from_its_own_map_and_seed_and_stored_once(bench: Bench) -> None:
    bench.submit("j", 10)
    assert bench.pipeline.drain(seconds=60) is False
    assert bench.states("j") == [State.SUCCEEDED] * 10
    assert len(bench.pictures("j")) == 10
    for item in bench.reader.items(bench.reader.job("j")):
        data = bench.objects.get(item.picture_key or "")
        assert hashlib.sha256(data).hexdigest() == item.digest
        assert len(data) == item.size_bytes
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.getpixel((3, 3)) == (item.index, item.seed, 0)
        assert set(item.timings) == {"wait", "decode", "compute", "encode", "upload"}
    assert [len(batch) for batch in bench.engine.batches] == [4, 4, 2]


def test_the_final_record_is_stored_when_the_job_ends(bench: Bench) -> None:
    bench.submit("j", 2)
    bench.pipeline.drain(seconds=60)
    record = json.loads(bench.objects.get(record_key("j")))
    assert record["state"] == "succeeded"
    assert [item["state"] for item in record["items"]] == ["succeeded", "succeeded"]
    assert bench.store.unrecorded_jobs() == []


@pytest.mark.parametrize(("picture_format", "magic"), [("jpeg", b"\xff\xd8\xff"), ("webp", b"RIFF")])
def test_pictures_are_stored_in_the_format_of_the_job(bench: Bench, picture_format: str, magic: bytes) -> None:
    bench.submit("j", 1, picture_format=picture_format)
    bench.pipeline.drain(seconds=60)
    assert bench.objects.get(bench.pictures("j")[0]).startswith(magic)


def test_the_next_batch_is_fetched_while_the_engine_computes(bench: Bench) -> None:
    bench.submit("j", 8)
    running_during_first: list[int] = []

    def wait_until_the_second_batch_is_claimed(_: Inputs) -> None:
        if running_during_first:
            return
        wait_until(lambda: bench.reader.stats().leases == 8, "the second batch is claimed")
        running_during_first.append(bench.reader.stats().leases)

    bench.engine.before = wait_until_the_second_batch_is_claimed
    bench.pipeline.drain(seconds=60)
    assert running_during_first == [8]
    assert bench.states("j") == [State.SUCCEEDED] * 8


def test_an_item_canceled_before_its_batch_is_computed_is_not_computed(bench: Bench) -> None:
    bench.submit("a", 4)
    bench.submit("b", 4)

    def cancel_b_once_it_is_claimed(inputs: Inputs) -> None:
        if inputs.items[0].job_id == "a":
            wait_until(lambda: bench.reader.job("b").counts[State.RUNNING] == 4, "b is claimed")
            bench.store.cancel("b", owner=OWNER)

    bench.engine.before = cancel_b_once_it_is_claimed
    bench.pipeline.drain(seconds=60)
    assert bench.engine.batches == [[f"a:{i}" for i in range(4)]]
    assert bench.states("b") == [State.CANCELED] * 4
    assert bench.pictures("b") == []


def test_a_result_canceled_while_it_is_computed_is_removed_from_the_object_store(bench: Bench) -> None:
    bench.submit("j", 2)
    bench.engine.before = lambda _: bench.store.cancel("j", owner=OWNER) and None
    bench.pipeline.drain(seconds=60)
    assert bench.states("j") == [State.CANCELED] * 2
    assert bench.pictures("j") == []


def test_stopping_finishes_the_batch_in_hand_and_gives_the_fetched_one_back(bench: Bench) -> None:
    bench.submit("j", 12)
    bench.engine.before = lambda _: bench.stop.set()
    assert bench.pipeline.drain(seconds=60) is False
    counts = bench.reader.job("j").counts
    assert counts[State.SUCCEEDED] == 4
    assert counts[State.QUEUED] == 8
    assert all(item.attempts <= 1 for item in bench.reader.items(bench.reader.job("j")))
    assert bench.reader.stats().leases == 0


def test_when_time_is_up_the_loop_returns_and_says_so(bench: Bench) -> None:
    bench.submit("j", 4)
    assert bench.pipeline.drain(seconds=0) is True
    assert bench.engine.batches == []
    assert bench.pipeline.drain(seconds=60) is False


def test_a_full_batch_wakes_one_more_worker(bench: Bench) -> None:
    bench.submit("j", 5)
    bench.pipeline.drain(seconds=60)
    assert bench.woken == ["landscape"]


def test_variations_of_a_map_come_together_and_read_it_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    maps, variations = 2, 4
    for number in range(maps):
        bench.objects.put(label_map_key("j", number), encode_ids_png(np.full((SIZE, SIZE), number, np.uint16)))
    items = tuple(
        ItemSpec(
            index=index,
            file=f"{index // variations}.png",
            label_map_key=label_map_key("j", index // variations),
            instance_map_key=None,
            seed=index % variations,
        )
        for index in range(maps * variations)
    )
    bench.store.submit(dataclasses.replace(job_spec("j", height=SIZE, width=SIZE), items=items))
    read: list[str] = []
    get = bench.objects.get
    monkeypatch.setattr(bench.objects, "get", lambda key: read.append(key) or get(key))
    bench.pipeline.drain(seconds=60)
    assert bench.engine.batches == [[f"j:{index}" for index in range(first, first + 4)] for first in (0, 4)]
    assert read == [label_map_key("j", number) for number in range(maps)]
    assert bench.states("j") == [State.SUCCEEDED] * 8
