"""Spans on their way: by OTLP over HTTP, and nowhere, which the worker must not notice."""

import logging
import time

import pytest

from deploy.local.ports import free_port
from support.bench import Bench
from support.traces import collecting
from workers.messages import State
from workers.redis_client import RedisClient
from workers.storage import ObjectStore
from workers.trace_settings import TraceSettings
from workers.traces import Service, start_traces


def test_what_is_left_is_sent_at_the_end(redis_client: RedisClient, objects: ObjectStore) -> None:
    with collecting() as collector:
        traces = start_traces(TraceSettings(endpoint=f"{collector.url}/"), Service.WORKER)
        bench = Bench(redis_client, objects, traces=traces)
        bench.submit("j", 2)
        bench.pipeline.drain(seconds=60)
        traces.stop()
    assert collector.paths == {"/v1/traces"}
    assert sorted(span.name for span in collector.received if span.parent_id == "") == ["item", "item"]
    assert {span.service for span in collector.received} == {"spade-worker"}


def test_a_receiver_that_is_away_keeps_nobody_waiting(
    redis_client: RedisClient, objects: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    traces = start_traces(TraceSettings(endpoint=f"http://127.0.0.1:{free_port()}"), Service.WORKER)
    bench = Bench(redis_client, objects, traces=traces)
    bench.submit("j", 20)
    bench.pipeline.drain(seconds=60)
    assert bench.states("j") == [State.SUCCEEDED] * 20
    began = time.monotonic()
    traces.stop()
    assert time.monotonic() - began < 6
    told = [record for record in caplog.records if record.name.startswith("opentelemetry")]
    assert all(record.levelno >= logging.ERROR for record in told)
    assert len(told) <= 3
