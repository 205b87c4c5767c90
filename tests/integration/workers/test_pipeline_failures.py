"""Engines, inputs and object stores that fail the worker's loop."""

import threading
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from deploy.local.child import Child
from spade.errors import CheckpointError, ConfigError, OutOfMemoryError
from spade.label_images import encode_ids_png
from spade.pictures import PictureFormat, encode_picture
from support.bench import SIZE, Bench
from support.label_maps import chunk, png
from support.waiting import wait_until
from workers.errors import EngineFailedError, EngineUnavailableError, StorageUnavailableError
from workers.inputs import Inputs
from workers.messages import State, label_map_key
from workers.redis_client import RedisClient
from workers.settings import StorageSettings
from workers.storage import ObjectStore


def test_a_batch_too_large_for_memory_is_halved_until_it_fits_and_that_is_remembered(bench: Bench) -> None:
    def refuse_more_than_one(inputs: Inputs) -> None:
        if len(inputs.items) > 1:
            raise OutOfMemoryError("no room")

    bench.engine.before = refuse_more_than_one
    bench.submit("j", 4)
    bench.pipeline.drain(seconds=60)
    assert bench.states("j") == [State.SUCCEEDED] * 4
    sizes = [len(batch) for batch in bench.engine.batches]
    assert sizes[0] == 4
    assert sizes == sorted(sizes, reverse=True)
    assert sizes.count(1) == 4
    bench.engine.batches.clear()
    bench.submit("k", 2)
    bench.pipeline.drain(seconds=60)
    assert [len(batch) for batch in bench.engine.batches] == [1, 1]


def test_a_single_item_that_does_not_fit_into_memory_fails_for_good(bench: Bench) -> None:
    def refuse(_: Inputs) -> None:
        raise OutOfMemoryError("no room")

    bench.engine.before = refuse
    bench.submit("j", 1)
    bench.pipeline.drain(seconds=60)
    item = bench.reader.item("j", 0)
    assert (item.state, item.reason) == (State.FAILED, "out-of-memory")


def test_one_bad_item_is_isolated_and_the_others_of_its_batch_succeed(bench: Bench) -> None:
    def choke_on_two(inputs: Inputs) -> None:
        if any(item.index == 2 for item in inputs.items):
            raise RuntimeError("cannot digest this")

    bench.engine.before = choke_on_two
    bench.submit("j", 4)
    bench.pipeline.drain(seconds=60)
    assert bench.states("j") == [State.SUCCEEDED, State.SUCCEEDED, State.FAILED, State.SUCCEEDED]
    bad = bench.reader.item("j", 2)
    assert (bad.reason, bad.attempts) == ("poison", 4)
    assert "cannot digest this" in (bad.detail or "")
    assert bench.reader.job("j").state is State.FAILED


def test_an_unusable_model_fails_its_items_at_once(bench: Bench) -> None:
    def refuse(_: Inputs) -> None:
        raise CheckpointError("the weights are damaged")

    bench.engine.before = refuse
    bench.submit("j", 2)
    bench.pipeline.drain(seconds=60)
    assert {item.reason for item in bench.reader.items(bench.reader.job("j"))} == {"model-unusable"}
    assert len(bench.engine.batches) == 1


def test_an_item_that_does_not_fit_the_model_takes_no_other_job_with_it(bench: Bench) -> None:
    def refuse(inputs: Inputs) -> None:
        if any(item.job_id == "bad" for item in inputs.items):
            raise ConfigError("label map: id 60000 is out of range")

    bench.engine.before = refuse
    bench.submit("good", 3)
    bench.submit("bad", 1)
    bench.pipeline.drain(seconds=60)
    assert bench.states("good") == [State.SUCCEEDED] * 3
    bad = bench.reader.item("bad", 0)
    assert (bad.state, bad.reason, bad.attempts) == (State.FAILED, "input-unusable", 2)


def test_items_wait_without_blame_for_an_engine_that_is_away(bench: Bench) -> None:
    away = [EngineUnavailableError("connection refused")] * 3
    unhealthy = [EngineUnavailableError("not healthy")]

    def refuse(_: Inputs) -> None:
        if away:
            raise away.pop()

    def ping() -> None:
        if unhealthy:
            raise unhealthy.pop()

    bench.engine.before, bench.engine.pings = refuse, ping
    bench.submit("j", 6)
    bench.pipeline.drain(seconds=60)
    assert bench.states("j") == [State.SUCCEEDED] * 6
    assert len(bench.engine.batches[-1]) > 1, "nobody is suspect, so nobody is tried alone"
    assert bench.registry.get_sample_value(
        "spade_engine_errors_total", {"model": "landscape", "error": "EngineUnavailableError"}
    )


def test_what_was_fetched_ahead_does_not_wait_for_an_engine_that_is_away(
    bench: Bench, redis_client: RedisClient, objects: ObjectStore
) -> None:
    """Another worker, whose engine is there, makes all of it."""
    other = Bench(redis_client, objects)
    came_back = threading.Event()

    def refuse(_: Inputs) -> None:
        if not came_back.is_set():
            raise EngineUnavailableError("connection refused")

    def ping() -> None:
        if not came_back.is_set():
            other.pipeline.drain(seconds=30)
            assert bench.states("j") == [State.SUCCEEDED] * 12
            came_back.set()

    bench.engine.before, bench.engine.pings = refuse, ping
    bench.submit("j", 12)  # more than are in hand at once
    bench.pipeline.drain(seconds=60)
    assert came_back.is_set()
    assert len(bench.engine.batches) == 1  # the one that it could not compute


def test_a_model_that_the_engine_does_not_serve_just_now_does_not_hold_up_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.engine_pause.random.uniform", lambda *_: 0.001)

    def refuse(inputs: Inputs) -> None:
        if inputs.items[0].job_id == "first" and bench.reader.job("second").state is not State.SUCCEEDED:
            raise EngineUnavailableError("no backend")

    bench.engine.before = refuse
    bench.submit("first", 12)  # more than are in hand at once
    bench.submit("second", 4)
    bench.pipeline.drain(seconds=30)
    assert bench.states("second") == [State.SUCCEEDED] * 4
    assert bench.states("first") == [State.SUCCEEDED] * 12


def test_an_engine_that_is_away_does_not_keep_the_worker_from_stopping(bench: Bench) -> None:
    def refuse(_: Inputs) -> None:
        bench.stop.set()
        raise EngineUnavailableError("connection refused")

    bench.engine.before = refuse
    bench.submit("j", 2)
    bench.pipeline.drain(seconds=60)
    assert bench.states("j") == [State.QUEUED] * 2
    assert bench.reader.stats().leases == 0


def test_an_engine_that_one_item_kills_makes_the_others_pictures(bench: Bench) -> None:
    def die_of_two(inputs: Inputs) -> None:
        if any(item.index == 2 for item in inputs.items):
            raise EngineFailedError("TorchServe answered 500: Worker died.")

    bench.engine.before = die_of_two
    bench.submit("j", 4)
    bench.pipeline.drain(seconds=60)
    assert bench.states("j") == [State.SUCCEEDED, State.SUCCEEDED, State.FAILED, State.SUCCEEDED]
    assert bench.reader.item("j", 2).reason == "poison"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "other": lambda _: b"no picture",
    "truncated": lambda good: good[:40],
    "wrong size": lambda _: encode_ids_png(np.zeros((4, 4), np.uint16)),
    "colours": lambda _: encode_picture(np.zeros((SIZE, SIZE, 3), np.uint8), PictureFormat.PNG, 90),
    "large header": lambda _: png([[0]], size=(60_000, 60_000)),
    "largest header": lambda _: png([[0]], size=(2**31 - 1, 2**31 - 1)),
}


@pytest.mark.parametrize("damage", ["missing", *DAMAGES])
def test_an_item_whose_input_cannot_be_read_fails_alone(bench: Bench, damage: str) -> None:
    bench.submit("j", 3)
    key = label_map_key("j", 1)
    if damage == "missing":
        bench.objects.delete(key)
    else:
        bench.objects.put(key, DAMAGES[damage](bench.objects.get(key)))
    bench.pipeline.drain(seconds=60)
    assert bench.states("j") == [State.SUCCEEDED, State.FAILED, State.SUCCEEDED]
    assert bench.reader.item("j", 1).reason == "input-unreadable"
    assert key in (bench.reader.item("j", 1).detail or "")


def test_text_in_a_stored_input_is_not_unpacked(bench: Bench) -> None:
    bench.submit("j", 2)
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(100 * 2**20)))
    bench.objects.put(label_map_key("j", 1), png(np.zeros((SIZE, SIZE)), before_data=text))
    bench.pipeline.drain(seconds=60)
    assert bench.states("j") == [State.SUCCEEDED] * 2


class PartlyAway(ObjectStore):
    """A store that answers, but keeps some objects to itself for a while."""

    def __init__(self, settings: StorageSettings, *, held_back: set[str]) -> None:
        super().__init__(settings)
        self.held_back = held_back

    def get(self, key: str) -> bytes:
        if key in self.held_back:
            raise StorageUnavailableError("503 Slow Down")
        return super().get(key)


def test_an_input_that_the_store_holds_back_does_not_hold_up_the_others(
    redis_client: RedisClient, objects: ObjectStore, s3: StorageSettings
) -> None:
    held_back = PartlyAway(s3, held_back={label_map_key("first", 0)})
    bench = Bench(redis_client, objects, read_from=held_back)
    bench.submit("first", 2)
    bench.submit("second", 6)
    drain = threading.Thread(target=bench.pipeline.drain, kwargs={"seconds": 60})
    drain.start()
    wait_until(lambda: bench.reader.job("second").state is State.SUCCEEDED, "what can be had is made")
    assert bench.states("first")[1] is State.SUCCEEDED
    held_back.held_back.clear()
    drain.join(timeout=60)
    assert bench.states("first") == [State.SUCCEEDED] * 2


def test_an_error_of_reading_that_nobody_foresaw_leaves_no_item_in_hand(
    redis_client: RedisClient, objects: ObjectStore, s3: StorageSettings
) -> None:
    class Unforeseen(ObjectStore):
        def get(self, key: str) -> bytes:
            if key == label_map_key("j", 1):
                raise MemoryError("no room for it")
            return super().get(key)

    bench = Bench(redis_client, objects, read_from=Unforeseen(s3))
    bench.submit("j", 3)
    bench.pipeline.drain(seconds=60)
    assert bench.states("j") == [State.SUCCEEDED, State.FAILED, State.SUCCEEDED]
    assert bench.reader.item("j", 1).reason == "poison"
    assert "no room for it" in (bench.reader.item("j", 1).detail or "")


def test_the_loop_waits_for_an_object_store_that_went_away(
    redis_client: RedisClient, own_s3: tuple[Child, StorageSettings]
) -> None:
    child, settings = own_s3
    bench = Bench(redis_client, ObjectStore(settings))
    bench.submit("j", 4)
    child.kill()
    drain = threading.Thread(target=bench.pipeline.drain, kwargs={"seconds": 60})
    drain.start()
    wait_until(
        lambda: bench.reader.item("j", 0).attempts > 0 and not bench.reader.stats().leases,
        "it has tried once and given the items back",
    )
    child.start()
    child.wait_ready()
    drain.join(timeout=30)
    assert bench.states("j") == [State.SUCCEEDED] * 4


def test_pictures_wait_for_an_object_store_that_went_away_during_compute(
    redis_client: RedisClient, own_s3: tuple[Child, StorageSettings]
) -> None:
    child, settings = own_s3
    bench = Bench(redis_client, ObjectStore(settings))
    bench.submit("j", 2)
    computed = threading.Event()

    def take_the_store_away(_: Inputs) -> None:
        child.kill()
        computed.set()

    bench.engine.before = take_the_store_away
    drain = threading.Thread(target=bench.pipeline.drain, kwargs={"seconds": 60})
    drain.start()
    assert computed.wait(20)
    child.start()
    child.wait_ready()
    drain.join(timeout=60)
    assert bench.states("j") == [State.SUCCEEDED] * 2
    assert len(bench.engine.batches) == 1
