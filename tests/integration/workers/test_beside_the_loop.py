"""What runs beside the worker's loop: leases, reaper, metrics."""

from support.bench import SIZE, Bench
from support.jobs import OWNER
from support.waiting import wait_until
from workers.messages import State, record_key
from workers.operations import OperationsReader
from workers.queue_metrics import QueueCollector
from workers.reaper import Reaper
from workers.redis_client import PREFIX


def test_the_lease_keeper_keeps_what_is_ours_and_forgets_what_is_not(bench: Bench) -> None:
    bench.submit("j", 2)
    batch = bench.store.claim(worker="w", device="cpu", models=["landscape"], max_items=2, max_pixels=10**9).batch
    assert batch is not None
    bench.leases.hold(batch.items)
    for item in batch.items:
        bench.client.zadd(f"{PREFIX}leases", {item.id: 1})
    bench.store.fail(batch.items[:1], reason="x", detail="")
    bench.leases.renew()
    assert len(bench.store.reap().lost) == 0
    assert bench.reader.item("j", 1).state is State.RUNNING


def test_the_reaper_returns_records_and_wakes(bench: Bench) -> None:
    reaper = Reaper(
        store=bench.store,
        reader=bench.reader,
        recorder=bench.recorder,
        wake=bench.woken.append,
        worker="w",
        interval_seconds=0.02,
    )
    bench.submit("waits", 1)
    bench.submit("ended", 1)
    bench.store.cancel("ended", owner=OWNER)
    reaper.start()
    wait_until(lambda: bench.woken and not bench.store.unrecorded_jobs(), "a full round")
    reaper.stop()
    assert set(bench.woken) == {"landscape"}
    assert bench.states("waits") == [State.QUEUED]
    assert bench.objects.exists(record_key("ended"))


def test_metrics_tell_what_was_done_and_what_waits(bench: Bench) -> None:
    bench.submit("done", 5)
    bench.pipeline.drain(seconds=60)
    bench.submit("waits", 3)
    bench.registry.register(QueueCollector(bench.reader, OperationsReader(bench.client)))
    value = bench.registry.get_sample_value
    assert value("spade_pictures_total", {"model": "landscape"}) == 5
    assert value("spade_pixels_total", {"model": "landscape"}) == 5 * SIZE * SIZE
    assert value("spade_batch_items_count", {"model": "landscape"}) == 2
    assert value("spade_item_seconds_count", {"model": "landscape"}) == 5
    assert value("spade_batch_fill_ratio_sum", {"model": "landscape"}) == 4 / 4 + 1 / 4
    assert 0 < value("spade_engine_busy_seconds_total", {"worker": "", "device": "cpu"}) < 60
    assert value("spade_items_total", {"model": "landscape", "state": "succeeded", "reason": ""}) == 5
    assert value("spade_items_total", {"model": "landscape", "state": "accepted", "reason": ""}) == 8
    assert value("spade_jobs_total", {"model": "landscape", "state": "succeeded"}) == 1
    assert value("spade_queue_waiting_items", {"model": "landscape", "priority": "normal"}) == 3
    assert value("spade_queue_oldest_item_seconds", {"model": "landscape", "priority": "normal"}) > 0
    assert value("spade_queue_oldest_item_seconds", {"model": "landscape", "priority": "bulk"}) == 0
    assert value("spade_owner_pictures_total", {"owner": OWNER}) == 5
    assert value("spade_owner_pixels_total", {"owner": OWNER}) == 5 * SIZE * SIZE
    assert value("spade_owner_open_items", {"owner": OWNER}) == 3
    assert value("spade_owner_stored_bytes", {"owner": OWNER}) > 0
    assert value("spade_queue_memory_bytes") > 0
    assert value("spade_queue_up") == 1
    for stage in ("wait", "decode", "compute", "encode", "upload", "commit"):
        count = value("spade_stage_seconds_count", {"model": "landscape", "stage": stage})
        assert count, stage
