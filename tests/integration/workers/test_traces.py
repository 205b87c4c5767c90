"""Spans of items, from when a job was accepted to the commit; kept in memory."""

import dataclasses
from itertools import pairwise

import pytest

from spade.errors import ConfigError
from support.bench import SIZE, Bench, store_inputs
from support.jobs import job_spec
from support.recovery import Recoverer
from support.traces import Kept, Seen, tree
from workers.messages import State, spec_key
from workers.redis_client import RedisClient
from workers.storage import ObjectStore
from workers.traces import TRACED_ITEMS, Service

TRACE, PARENT = "1" * 32, "2" * 16
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
STAGES = {"wait", "decode", "compute", "encode", "upload", "commit"}


@pytest.fixture
def kept() -> Kept:
    return Kept(Service.WORKER)


@pytest.fixture
def traced(redis_client: RedisClient, objects: ObjectStore, kept: Kept) -> Bench:
    """A worker's loop with traces."""
    return Bench(redis_client, objects, traces=kept.traces)


def submit(bench: Bench, items: int, *, traceparent: str | None = TRACEPARENT) -> None:
    store_inputs(bench.objects, "j", items)
    spec = job_spec("j", items, height=SIZE, width=SIZE, traceparent=traceparent, request_id="the-request")
    bench.objects.put(spec_key("j"), spec.to_json().encode())
    bench.store.submit(spec)


def items_of(kept: Kept) -> list[Seen]:
    return [span for span in kept.spans() if span.name == "item"]


def test_each_item_goes_on_with_the_trace_of_its_job_and_has_all_its_stages(traced: Bench, kept: Kept) -> None:
    submit(traced, 6)
    traced.pipeline.drain(seconds=60)
    items = items_of(kept)
    assert {item.attributes["messaging.message.id"] for item in items} == {f"j:{index}" for index in range(6)}
    for item in items:
        assert (item.trace_id, item.parent_id, item.kind, item.error) == (TRACE, PARENT, "consumer", None)
        assert tree(kept.spans(), item.span_id) == {stage: {} for stage in STAGES}
        assert item.attributes["spade.request.id"] == "the-request"
        assert item.attributes["spade.outcome"] == "published"
    assert {item.attributes["messaging.batch.message_count"] for item in items} == {"4", "2"}
    assert {span.service for span in kept.spans()} == {"spade-worker"}


def test_stages_follow_one_another_and_lie_within_their_item(traced: Bench, kept: Kept) -> None:
    submit(traced, 1)
    traced.pipeline.drain(seconds=60)
    (item,) = items_of(kept)
    stages = {span.name: span for span in kept.spans() if span.parent_id == item.span_id}
    assert item.began == stages["wait"].began
    order = ["wait", "decode", "compute", "encode", "upload", "commit"]
    assert sorted(order, key=lambda name: stages[name].began) == order
    assert all(stages[a].ended <= stages[b].began for a, b in pairwise(order))
    assert stages["commit"].ended <= item.ended


def test_an_item_whose_job_was_not_traced_begins_a_trace_of_its_own(traced: Bench, kept: Kept) -> None:
    submit(traced, 2, traceparent=None)
    traced.pipeline.drain(seconds=60)
    items = items_of(kept)
    assert [item.parent_id for item in items] == ["", ""]
    assert items[0].trace_id != items[1].trace_id


def test_a_job_whose_trace_nobody_keeps_leaves_no_spans(traced: Bench, kept: Kept) -> None:
    submit(traced, 2, traceparent=f"00-{TRACE}-{PARENT}-00")
    traced.pipeline.drain(seconds=60)
    assert traced.states("j") == [State.SUCCEEDED] * 2
    assert kept.spans() == []


def test_with_a_ratio_of_zero_there_are_no_traces_that_begin_here(
    redis_client: RedisClient, objects: ObjectStore
) -> None:
    kept = Kept(Service.WORKER, ratio=0)
    bench = Bench(redis_client, objects, traces=kept.traces)
    submit(bench, 1, traceparent=None)
    bench.pipeline.drain(seconds=60)
    assert kept.spans() == []


def test_each_attempt_is_a_span_with_its_number_and_a_lost_one_has_failed(traced: Bench, kept: Kept) -> None:
    def fail_once(_: object) -> None:
        if len(traced.engine.batches) == 1:
            raise RuntimeError("the device fell over")

    traced.engine.before = fail_once
    submit(traced, 1)
    traced.pipeline.drain(seconds=60)
    lost, published = sorted(items_of(kept), key=lambda item: item.attributes["spade.attempt"])
    assert (lost.attributes["spade.attempt"], lost.attributes["spade.outcome"]) == ("1", "lost")
    assert lost.error == "RuntimeError: the device fell over"
    assert tree(kept.spans(), lost.span_id) == {"wait": {}, "decode": {}, "compute": {}}
    assert (published.attributes["spade.attempt"], published.error) == ("2", None)
    assert lost.trace_id == published.trace_id == TRACE


def test_an_input_that_cannot_be_read_fails_the_span_of_its_item_alone(traced: Bench, kept: Kept) -> None:
    submit(traced, 2)
    traced.objects.put("jobs/j/inputs/1.png", b"no PNG")
    traced.pipeline.drain(seconds=60)
    outcomes = {item.attributes["spade.item.index"]: item for item in items_of(kept)}
    assert outcomes["0"].error is None
    assert outcomes["1"].attributes["spade.outcome"] == "failed"
    assert "cannot be read" in (outcomes["1"].error or "")


def test_a_copy_of_an_identical_item_has_no_computing_in_its_trace(traced: Bench, kept: Kept) -> None:
    store_inputs(traced.objects, "j", 1)
    spec = job_spec("j", 2, height=SIZE, width=SIZE, traceparent=TRACEPARENT)
    same = dataclasses.replace(spec.items[0], index=1)
    traced.store.submit(dataclasses.replace(spec, items=(spec.items[0], same)), identities=["same", "same"])
    traced.pipeline.drain(seconds=60)
    traced.pipeline.drain(seconds=60)  # the second item waited for the first one's picture
    computed, copied = sorted(items_of(kept), key=lambda item: item.attributes["spade.item.index"])
    assert set(tree(kept.spans(), computed.span_id)) == STAGES
    assert set(tree(kept.spans(), copied.span_id)) == {"wait", "copy", "commit"}
    assert copied.attributes["spade.outcome"] == "copied"


def test_of_a_large_job_only_the_first_items_are_traced_and_those_that_fail(traced: Bench, kept: Kept) -> None:
    def refuse_the_last(_: object) -> None:
        if traced.engine.batches[-1] == [f"j:{TRACED_ITEMS + 1}"]:
            raise ConfigError("it does not fit")

    traced.engine.before = refuse_the_last
    submit(traced, TRACED_ITEMS + 2)
    traced.client.hset("{spade}:ceilings:cpu", mapping={job_spec("j", height=SIZE, width=SIZE).bucket: "1"})
    traced.pipeline.drain(seconds=120)
    items = {int(item.attributes["spade.item.index"]): item for item in items_of(kept)}
    assert sorted(items) == [*range(TRACED_ITEMS), TRACED_ITEMS + 1]
    assert tree(kept.spans(), items[TRACED_ITEMS + 1].span_id) == {}
    assert items[TRACED_ITEMS + 1].attributes["spade.outcome"] == "failed"


def test_a_job_that_comes_back_after_a_loss_of_redis_goes_on_with_its_trace(traced: Bench, kept: Kept) -> None:
    submit(traced, 1)
    traced.client.flushall()
    Recoverer.of(traced).recovery.requeue()
    traced.pipeline.drain(seconds=60)
    (item,) = items_of(kept)
    assert (item.trace_id, item.parent_id) == (TRACE, PARENT)
    assert item.attributes["spade.request.id"] == "the-request"
