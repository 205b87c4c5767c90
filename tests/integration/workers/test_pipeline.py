"""The worker's loop on a real Redis and a real object store, with an engine that fails on demand."""

import hashlib
import io
import json
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from prometheus_client import CollectorRegistry

from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.servers import S3Server, new_access_key, new_secret_key
from spade.errors import CheckpointError, ConfigError, OutOfMemoryError
from spade.label_images import encode_ids_png
from spade.pictures import PictureFormat, encode_picture
from support.jobs import OWNER, job_spec
from support.waiting import wait_until
from workers.errors import StorageUnavailableError
from workers.inputs import Inputs
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.leases import LeaseKeeper
from workers.messages import State, job_prefix, label_map_key, record_key
from workers.metrics import QueueCollector, WorkerMetrics
from workers.pipeline import ClaimLimits, Pipeline, PipelineParts
from workers.publishing import Publisher
from workers.reaper import Reaper
from workers.recorder import Recorder
from workers.redis_client import PREFIX, RedisClient
from workers.settings import QueueSettings, StorageSettings
from workers.storage import ObjectStore

SIZE = 8


class FakeEngine:
    """Paints each picture in the label map's first id and the seed, after asking `before` what it thinks of it."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.before: Callable[[Inputs], None] = lambda _: None

    def load(self, model: str, version: str) -> None:
        """Nothing to load."""

    def synthesize(self, inputs: Inputs) -> np.ndarray:
        self.batches.append([item.id for item in inputs.items])
        self.before(inputs)
        pictures = np.zeros((len(inputs.items), SIZE, SIZE, 3), np.uint8)
        for picture, label_map, item in zip(pictures, inputs.label_maps, inputs.items, strict=True):
            picture[..., 0] = label_map[0, 0]
            picture[..., 1] = item.seed
        return pictures


class Bench:
    """A pipeline with everything it needs within reach of the test."""

    def __init__(
        self,
        client: RedisClient,
        objects: ObjectStore,
        *,
        batch_items: int = 4,
        read_from: ObjectStore | None = None,
    ) -> None:
        self.client = client
        self.objects = objects
        self.engine = FakeEngine()
        self.stop = threading.Event()
        self.store = JobStore(client, QueueSettings(lease_seconds=30))
        self.reader = JobReader(client)
        self.recorder = Recorder(store=self.store, reader=self.reader, objects=objects)
        self.leases = LeaseKeeper(self.store, lease_seconds=30)
        self.registry = CollectorRegistry()
        self.woken: list[str] = []
        metrics = WorkerMetrics(self.registry)
        self.pipeline = Pipeline(
            PipelineParts(
                store=self.store,
                objects=read_from or objects,
                engine=self.engine,
                leases=self.leases,
                publisher=Publisher(store=self.store, objects=objects, leases=self.leases, metrics=metrics),
                metrics=metrics,
                wake=self.woken.append,
                record=self.recorder.record,
            ),
            ClaimLimits(worker="w", device="cpu", models=("landscape",), max_items=batch_items, max_pixels=10**9),
            stop=self.stop,
        )

    def submit(self, job_id: str, items: int, *, picture_format: str = "png") -> None:
        for index in range(items):
            label_map = np.full((SIZE, SIZE), index, np.uint16)
            self.objects.put(label_map_key(job_id, index), encode_ids_png(label_map))
        spec = job_spec(job_id, items, height=SIZE, width=SIZE, picture_format=picture_format)
        self.store.submit(spec)

    def states(self, job_id: str) -> list[State]:
        return [item.state for item in self.reader.items(self.reader.job(job_id))]

    def pictures(self, job_id: str) -> list[str]:
        return list(self.objects.keys(f"{job_prefix(job_id)}pictures/"))


@pytest.fixture
def bench(redis_client: RedisClient, objects: ObjectStore) -> Bench:
    return Bench(redis_client, objects)


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


def png_that_claims(width: int, height: int) -> bytes:
    """A small file whose header promises a picture of this size."""
    good = bytearray(encode_ids_png(np.zeros((SIZE, SIZE), np.uint16)))
    good[16:24] = struct.pack(">II", width, height)
    good[29:33] = struct.pack(">I", zlib.crc32(good[12:29]))
    return bytes(good)


def png_with_text(unpacked_bytes: int) -> bytes:
    """A good file with a comment that is small packed and large unpacked."""
    good = encode_ids_png(np.zeros((SIZE, SIZE), np.uint16))
    chunk = b"zTXtk\0\0" + zlib.compress(bytes(unpacked_bytes))
    return good[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + good[33:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "other": lambda _: b"no picture",
    "truncated": lambda good: good[:40],
    "wrong size": lambda _: encode_ids_png(np.zeros((4, 4), np.uint16)),
    "colours": lambda _: encode_picture(np.zeros((SIZE, SIZE, 3), np.uint8), PictureFormat.PNG, 90),
    "large header": lambda _: png_that_claims(60_000, 60_000),
    "largest header": lambda _: png_that_claims(2**31 - 1, 2**31 - 1),
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
    bench.objects.put(label_map_key("j", 1), png_with_text(100 * 2**20))
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


def test_the_lease_keeper_keeps_what_is_ours_and_forgets_what_is_not(bench: Bench) -> None:
    bench.submit("j", 2)
    batch = bench.store.claim(worker="w", device="cpu", models=["landscape"], max_items=2, max_pixels=10**9).batch
    assert batch is not None
    bench.leases.hold(batch.items)
    for item in batch.items:
        bench.client.zadd(f"{PREFIX}leases", {item.id: 1})
    bench.store.fail(batch.items[:1], reason="x", detail="")
    bench.leases.renew()
    assert bench.store.reap().lost == 0
    assert bench.reader.item("j", 1).state is State.RUNNING


@pytest.fixture
def own_s3(tmp_path: Path) -> Iterator[tuple[Child, StorageSettings]]:
    server = S3Server(
        folder=tmp_path / "data", port=free_port(), access_key=new_access_key(), secret_key=new_secret_key()
    )
    with Child(server, log=tmp_path / "s3.log") as child:
        yield (
            child,
            StorageSettings(
                endpoint=server.endpoint,
                access_key=server.access_key,
                secret_key=server.secret_key,
                bucket=server.bucket,
            ),
        )


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


def test_the_reaper_returns_records_wakes_and_removes(redis_client: RedisClient, objects: ObjectStore) -> None:
    bench = Bench(redis_client, objects)
    reaper = Reaper(
        store=JobStore(redis_client, QueueSettings(retention_seconds=0)),
        reader=bench.reader,
        objects=objects,
        recorder=bench.recorder,
        wake=bench.woken.append,
        worker="w",
        interval_seconds=0.02,
    )
    bench.submit("waits", 1)
    bench.submit("ended", 1)
    bench.store.cancel("ended", owner=OWNER)
    reaper.start()
    wait_until(lambda: bench.woken and not list(objects.keys(job_prefix("ended"))), "a full round")
    reaper.stop()
    assert set(bench.woken) == {"landscape"}
    assert bench.states("waits") == [State.QUEUED]
    assert list(objects.keys(job_prefix("waits"))) == [label_map_key("waits", 0)]


def test_metrics_tell_what_was_done_and_what_waits(bench: Bench) -> None:
    bench.submit("done", 5)
    bench.pipeline.drain(seconds=60)
    bench.submit("waits", 3)
    bench.registry.register(QueueCollector(bench.reader))
    value = bench.registry.get_sample_value
    assert value("spade_pictures_total", {"model": "landscape"}) == 5
    assert value("spade_pixels_total", {"model": "landscape"}) == 5 * SIZE * SIZE
    assert value("spade_batch_items_count", {"model": "landscape"}) == 2
    assert value("spade_items_total", {"model": "landscape", "state": "succeeded", "reason": ""}) == 5
    assert value("spade_items_total", {"model": "landscape", "state": "accepted", "reason": ""}) == 8
    assert value("spade_jobs_total", {"model": "landscape", "state": "succeeded"}) == 1
    assert value("spade_queue_waiting_items", {"model": "landscape", "priority": "normal"}) == 3
    assert value("spade_queue_up") == 1
    for stage in ("wait", "decode", "compute", "encode", "upload", "commit"):
        count = value("spade_stage_seconds_count", {"model": "landscape", "stage": stage})
        assert count, stage
