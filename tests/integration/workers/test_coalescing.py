"""Identical items in flight: computed once, whatever becomes of the one that is."""

import dataclasses
import hashlib
from collections.abc import Callable

import numpy as np
import pytest

from spade.label_images import encode_ids_png
from support.bench import SIZE, Bench
from support.jobs import OWNER, claim, claim_batch, expire_leases, finish, job_spec, result_of
from workers.inputs import Inputs
from workers.messages import State, label_map_key
from workers.redis_client import PREFIX
from workers.repairs import Repairs
from workers.storage import ObjectStore


def submit(bench: Bench, job_id: str, items: int = 1, *, identity: str = "same", **changes: object) -> None:
    """A job whose items all have one label map, one seed and one identity."""
    bench.objects.put(label_map_key(job_id, 0), encode_ids_png(np.full((SIZE, SIZE), 3, np.uint16)))
    spec = job_spec(job_id, items, height=SIZE, width=SIZE, **changes)
    same = tuple(dataclasses.replace(item, label_map_key=label_map_key(job_id, 0), seed=5) for item in spec.items)
    bench.store.submit(dataclasses.replace(spec, items=same), identities=[identity] * items)


def drain(bench: Bench) -> None:
    """As a worker does that is told of what was freed."""
    bench.pipeline.drain(seconds=60)
    while bench.woken:
        bench.woken.clear()
        bench.pipeline.drain(seconds=60)


def computed(bench: Bench) -> int:
    return sum(map(len, bench.engine.batches))


def coalesced(bench: Bench) -> float:
    return bench.registry.get_sample_value("spade_coalesced_items_total", {"model": "landscape"}) or 0.0


def during_the_first(bench: Bench, act: Callable[[], object]) -> None:
    def once(_: Inputs) -> None:
        bench.engine.before = lambda _: None
        act()

    bench.engine.before = once


def claim_nothing(bench: Bench) -> None:
    """Another worker finds nothing to compute."""
    assert claim(bench.store, worker="w2").batch is None


def assert_right(bench: Bench, *job_ids: str) -> None:
    """Every item has a picture of its own, with the digest that is told, and nobody waits for anything."""
    digests = set()
    for job_id in job_ids:
        assert set(bench.states(job_id)) == {State.SUCCEEDED}
        for item in bench.reader.items(bench.reader.job(job_id)):
            data = bench.objects.get(item.picture_key or "")
            assert (hashlib.sha256(data).hexdigest(), len(data)) == (item.digest, item.size_bytes)
            digests.add(item.digest)
        assert len(bench.pictures(job_id)) == len(bench.states(job_id))
    assert len(digests) == 1
    assert_nothing_left(bench)


def assert_nothing_left(bench: Bench) -> None:
    assert bench.client.keys(f"{PREFIX}parked:*") == bench.client.keys(f"{PREFIX}inflight") == []


def test_an_item_sent_while_an_identical_one_is_computed_gets_its_picture(bench: Bench) -> None:
    submit(bench, "a")
    during_the_first(bench, lambda: (submit(bench, "b"), claim_nothing(bench)))
    drain(bench)
    assert (computed(bench), coalesced(bench)) == (1, 1)
    assert_right(bench, "a", "b")
    (item,) = bench.reader.items(bench.reader.job("b"))
    assert set(item.timings) == {"wait", "copy"}


def test_items_without_equal_identities_are_computed_each_for_itself(bench: Bench) -> None:
    for name in ("a", "b", "c"):
        submit(bench, name, identity=name)
    submit(bench, "d", 2, identity="")
    drain(bench)
    assert (computed(bench), coalesced(bench)) == (5, 0)


def test_a_parked_item_waits_as_before_and_is_at_its_place_once_its_leader_is_given_back(bench: Bench) -> None:
    submit(bench, "a")
    submit(bench, "b", 2)
    submit(bench, "c", identity="other")
    leader, other = claim_batch(bench.store).items
    assert (leader.id, other.id) == ("a:0", "c:0")
    assert bench.reader.job("b").counts[State.QUEUED] == 2
    assert bench.reader.position(bench.reader.job("b")) is not None
    assert Repairs(bench.client).audit("b", fix=False) == []
    bench.store.release([leader])
    assert [item.id for item in claim_batch(bench.store).items] == ["a:0"]


def test_a_canceled_leader_harms_nobody(bench: Bench) -> None:
    submit(bench, "a")
    submit(bench, "b")
    during_the_first(bench, lambda: bench.store.cancel("a", owner=OWNER))
    drain(bench)
    bench.pipeline.drain(seconds=60)
    assert bench.states("a") == [State.CANCELED]
    assert computed(bench) == 2
    assert_right(bench, "b")


def test_a_parked_item_is_canceled_and_expires_where_it_waits(bench: Bench) -> None:
    submit(bench, "a")
    submit(bench, "b")
    submit(bench, "late", deadline_seconds=3600.0)
    batch = claim_batch(bench.store)
    assert bench.store.cancel("b", owner=OWNER)[0] == ["dequeued"]
    bench.client.zadd(f"{PREFIX}deadlines", {"late:0": 1})
    assert len(bench.store.reap().expired) == 1
    assert bench.states("b") + bench.states("late") == [State.CANCELED, State.EXPIRED]
    finish(bench.store, batch)
    assert len(bench.store.reap().expired) == 0
    assert_nothing_left(bench)


def test_when_the_worker_of_the_leader_is_killed_the_others_are_computed(bench: Bench) -> None:
    submit(bench, "a")
    submit(bench, "b")
    claim_batch(bench.store, worker="killed")
    expire_leases(bench.client)
    assert len(bench.store.reap().lost) == 1
    during_the_first(bench, lambda: claim_nothing(bench))
    drain(bench)
    assert computed(bench) == 1, "the one that was freed leads, and the lost one has its picture"
    assert_right(bench, "a", "b")


@pytest.mark.parametrize(
    "spoil", [lambda objects, key: objects.delete(key), lambda objects, key: objects.put(key, b"x")]
)
def test_an_item_whose_twin_is_gone_or_damaged_is_computed(
    bench: Bench, spoil: Callable[[ObjectStore, str], None]
) -> None:
    submit(bench, "a")
    submit(bench, "b")
    (leader,) = claim_batch(bench.store).items
    claim_nothing(bench)
    result = result_of(leader)
    bench.objects.put(result.picture_key, b"whole")
    assert bench.store.commit([result]).freed == 1
    spoil(bench.objects, result.picture_key)
    drain(bench)
    assert (computed(bench), coalesced(bench)) == (1, 0)
    assert_right(bench, "b")


def test_of_600_identical_items_of_a_job_most_are_copied(bench: Bench) -> None:
    submit(bench, "j", 600)
    drain(bench)
    assert computed(bench) + coalesced(bench) == 600
    assert computed(bench) <= 101, "500 wait for the first, and of the others only as many as were claimed meanwhile"
    assert_right(bench, "j")


def test_a_parked_item_that_nobody_would_free_is_found_and_mended(bench: Bench) -> None:
    submit(bench, "a")
    submit(bench, "b")
    claim_batch(bench.store)
    bench.client.delete(f"{PREFIX}inflight")
    repairs = Repairs(bench.client)
    assert [fault.kind for fault in repairs.audit("b", fix=True)] == ["queued-item-not-listed"]
    assert repairs.audit("b", fix=False) == []
    assert [item.id for item in claim_batch(bench.store).items] == ["b:0"]
