"""One picture followed through a real API and a real worker, by the log of both and by its trace."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import ApiServer, Worker
from spade.label_images import encode_ids_png
from support.traces import Collector, Seen, collecting, tree
from support.waiting import wait_until
from workers.redis_client import RedisClient
from workers.storage import ObjectStore

TRACE, PARENT = "c" * 32, "d" * 16
REQUEST = "follow-me"


@dataclass(frozen=True, kw_only=True)
class Service:
    """Both processes and what receives their spans."""

    api: Child
    worker: Child
    collector: Collector
    secrets: tuple[str, ...]

    def stop(self) -> None:
        """As an operator does, so that the last spans are sent."""
        for child in (self.api, self.worker):
            child.stop()
            assert child.exit_code() in (0, -signal.SIGTERM)

    def lines(self, child: Child) -> list[dict[str, Any]]:
        return [json.loads(line) for line in child.log.read_text().splitlines() if line.startswith("{")]


@pytest.fixture
def service(
    service_environment: dict[str, str],
    redis_client: RedisClient,  # noqa: ARG001 - empties the server
    objects: ObjectStore,  # noqa: ARG001 - as above
    tmp_path: Path,
) -> Iterator[Service]:
    with collecting() as collector, ExitStack() as children:
        told = {
            **service_environment,
            "SPADE_TRACES_ENDPOINT": collector.url,
            "SPADE_WORKER_MODELS": "landscape",
            "SPADE_THREADS": "1",
            "SPADE_LOG_LEVEL": "debug",
        }
        worker = Worker(number=1, port=free_port(), service=told)
        api = ApiServer(port=free_port(), metrics_folder=tmp_path / "metrics", service=told, processes=2)
        yield Service(
            worker=children.enter_context(Child(worker, log=tmp_path / "worker.log")),
            api=children.enter_context(Child(api, log=tmp_path / "api.log")),
            collector=collector,
            secrets=(told["SPADE_S3_SECRET_KEY"], told["SPADE_REDIS_URL"].split("@")[0].rpartition(":")[2]),
        )


def submit(service: Service) -> str:
    """A job of two pictures, to its end; its id."""
    assert isinstance(service.api.program, ApiServer)
    response = httpx.post(
        f"{service.api.program.url}/v1/jobs",
        data={"params": '{"model": "landscape", "seed": 1, "variations": 2}'},
        files={"label_map": ("a.png", encode_ids_png(np.ones((4, 4), np.uint8)), "image/png")},
        headers={"X-Request-Id": REQUEST, "traceparent": f"00-{TRACE}-{PARENT}-01", "Prefer": "wait=60"},
        timeout=90,
        trust_env=False,
    )
    assert response.json()["state"] == "succeeded", response.text
    return str(response.json()["id"])


def test_a_picture_is_followed_through_both_processes_by_log_and_trace(service: Service) -> None:
    job_id = submit(service)
    service.stop()
    wait_until(lambda: len([s for s in service.collector.received if s.name == "item"]) == 2, "the spans", seconds=10)
    check_lines_of_api(service, job_id)
    check_lines_of_worker(service, job_id)
    check_trace([span for span in service.collector.received if span.trace_id == TRACE], job_id)
    text = service.api.log.read_text() + service.worker.log.read_text()
    assert all(secret and secret not in text for secret in service.secrets)


def check_lines_of_api(service: Service, job_id: str) -> None:
    lines = [line for line in service.lines(service.api) if line.get("request_id") == REQUEST]
    assert {line["trace_id"] for line in lines} == {TRACE}
    assert [line["event"] for line in lines if line["logger"].startswith("api.")] == ["job accepted", "request"]
    assert next(line for line in lines if line["event"] == "job accepted")["job"] == job_id


def check_lines_of_worker(service: Service, job_id: str) -> None:
    lines = service.lines(service.worker)
    for item in (f"{job_id}:0", f"{job_id}:1"):
        own = [line for line in lines if line.get("item") == item]
        assert [line["event"] for line in own] == ["item claimed", "item computed", "item stored", "item committed"]
        assert {(line["job"], line["request_id"], line["attempt"]) for line in own} == {(job_id, REQUEST, 1)}
        told = [line for line in lines if item in line.get("item_ids", ())]
        assert [line["event"] for line in told] == ["batch claimed", "batch published"]
        assert all(line["request_ids"] == [REQUEST] for line in told)
        assert set(told[1]["seconds"]) == {"decode", "compute", "encode", "upload", "commit"}


def check_trace(spans: list[Seen], job_id: str) -> None:
    stages: dict[str, object] = {name: {} for name in ("wait", "decode", "compute", "encode", "upload", "commit")}
    request = {"POST /v1/jobs": {name: {} for name in ("auth", "read", "decode", "store", "wake", "wait")}}
    assert tree(spans, PARENT) == {"POST /v1/jobs": {**request["POST /v1/jobs"], "enqueue": {"item": stages}}}
    items = [span for span in spans if span.name == "item"]
    assert {item.service for item in items} == {"spade-worker"}
    assert {item.attributes["messaging.message.id"] for item in items} == {f"{job_id}:0", f"{job_id}:1"}
    (submission,) = (span for span in spans if span.name == "POST /v1/jobs")
    assert (submission.service, submission.attributes["spade.request.id"]) == ("spade-api", REQUEST)
