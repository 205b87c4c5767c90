"""What a bulk job costs: many small label maps through a real API, Redis and object store, without an engine.

The worker brings the items in, claims and commits them as any other, and makes no pictures: what is measured is the
service around the engine, above all whether memory and the longest call of Redis grow with the job.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import redis

from deploy.errors import BenchmarkError
from deploy.local.child import Child, Program
from deploy.local.ports import free_port
from deploy.local.servers import RedisServer, S3Server, new_access_key, new_password, new_secret_key
from deploy.local.services import ApiServer, service_environment
from deploy.local.stack import server_settings

MODEL: Final = "landscape"
_PREFIX: Final = "inputs/bulk/"
_TENTH: Final = "a-tenth/"
_SLOW_MICROSECONDS: Final = 3000
_SECONDS: Final = 1800.0
_POLL_SECONDS: Final = 0.2
_MIB: Final = 2**20
_MAP: Final = b"not read by a worker without an engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkFigures:
    """Times in seconds since the request was sent; memory as the most that a process had until then."""

    items: int
    accepted_seconds: float  # the prefix listed, everything stored, 202 answered
    brought_in_seconds: float
    ended_seconds: float
    canceled_seconds: float  # of another such job, by one request
    api_mib_before: float
    api_mib_after_a_tenth: float  # after a job of a tenth of the items
    api_mib: float
    worker_mib_after_a_tenth: float
    worker_mib: float
    redis_bytes_per_canceled_item: float
    redis_bytes_per_ended_item: float
    longest_redis_call_ms: float  # by the clock, so a busy machine makes it longer


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkWorker(Program):
    """The benchmark's worker; it has no port to ask."""

    service: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        return "bulk-worker"

    def command(self) -> list[str]:
        return [sys.executable, "-P", "-m", "deploy.bench.bulk_worker"]

    def environment(self) -> Mapping[str, str]:
        return {**self.service, "SPADE_WORKER_MODELS": MODEL}

    def prepare(self) -> None:
        pass

    def is_ready(self) -> bool:
        return True


def measure_bulk(*, items: int) -> BulkFigures:
    """Run the benchmark. Raises BenchmarkError where the job does not end as it should."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = RedisServer(folder=folder / "redis", port=free_port(), password=new_password())
        s3 = S3Server(folder=folder / "s3", port=free_port(), access_key=new_access_key(), secret_key=new_secret_key())
        maps = folder / "s3" / s3.bucket / _PREFIX
        _write_maps(maps / _TENTH, items // 10)
        _write_maps(maps, items - items // 10)
        settings = {**server_settings(server, s3), "SPADE_MAX_BULK_ITEMS": str(items)}
        service = service_environment(os.environ, {**settings, "SPADE_MODELS_DIR": str(folder / "models")})
        api = ApiServer(port=free_port(), metrics_folder=folder / "metrics", service=service, processes=1)
        worker = BulkWorker(service=service)
        with (
            Child(server, log=folder / "redis.log"),
            Child(s3, log=folder / "s3.log"),
            Child(api, log=folder / "api.log") as api_child,
            httpx.Client(base_url=api.url, timeout=_SECONDS, trust_env=False) as http,
        ):
            return _Run(items, redis.Redis.from_url(server.url), http, api_child).measure(
                Child(worker, log=folder / "worker.log")
            )


def _write_maps(folder: Path, items: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(items):
        (folder / f"{number:06}.png").write_bytes(_MAP)


class _Run:
    """One measurement."""

    def __init__(self, items: int, client: "redis.Redis", http: httpx.Client, api: Child) -> None:
        self._items = items
        self._redis = client
        self._http = http
        self._api = api
        self._longest_microseconds = _SLOW_MICROSECONDS

    def measure(self, worker: Child) -> BulkFigures:
        self._redis.config_set("slowlog-log-slower-than", _SLOW_MICROSECONDS)
        api_before = _peak_mib(self._api)
        with worker:
            tenth = self._submit(_PREFIX + _TENTH)
            _wait(lambda: self._job(tenth)["state"] == "succeeded", "the job of a tenth has ended")
            api_tenth, worker_tenth = _peak_mib(self._api), _peak_mib(worker)
            empty = self._redis_bytes()
            started = time.perf_counter()
            job = self._submit()
            accepted = time.perf_counter() - started
            _wait(lambda: self._there(job) or self._job(job)["state"] == "succeeded", "all items are there")
            brought_in = time.perf_counter() - started
            _wait(lambda: self._job(job)["state"] == "succeeded", "the job has ended")
            ended = time.perf_counter() - started
            ended_bytes = self._redis_bytes() - empty
            worker_peak = _peak_mib(worker)
        self._submit()
        waiting_job = self._newest()
        started = time.perf_counter()
        canceled = self._http.post(f"/v1/jobs/{waiting_job}/cancel").raise_for_status().json()
        canceled_seconds = time.perf_counter() - started
        if canceled["job"]["counts"]["canceled"] != self._items:
            raise BenchmarkError(f"{self._items} items were to be canceled: {canceled['outcomes']}")
        canceled_bytes = self._redis_bytes() - empty - ended_bytes
        return BulkFigures(
            items=self._items,
            accepted_seconds=accepted,
            brought_in_seconds=brought_in,
            ended_seconds=ended,
            canceled_seconds=canceled_seconds,
            api_mib_before=api_before,
            api_mib_after_a_tenth=api_tenth,
            api_mib=_peak_mib(self._api),
            worker_mib_after_a_tenth=worker_tenth,
            worker_mib=worker_peak,
            redis_bytes_per_canceled_item=canceled_bytes / self._items,
            redis_bytes_per_ended_item=ended_bytes / self._items,
            longest_redis_call_ms=self._longest_microseconds / 1000,
        )

    def _submit(self, prefix: str = _PREFIX) -> str:
        answer = self._http.post("/v1/jobs", json={"params": {"model": MODEL}, "prefix": prefix})
        if answer.status_code != httpx.codes.ACCEPTED:
            raise BenchmarkError(f"the job was not accepted: {answer.text}")
        return str(answer.json()["id"])

    def _newest(self) -> str:
        return str(self._http.get("/v1/jobs").json()["jobs"][0]["id"])

    def _job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._http.get(f"/v1/jobs/{job_id}?items_after={self._items - 2}").json()
        return found

    def _there(self, job_id: str) -> bool:
        return self._job(job_id)["items_next"] is None

    def _redis_bytes(self) -> int:
        self._note_slow_calls()
        return int(self._redis.info("memory")["used_memory"])

    def _note_slow_calls(self) -> None:
        """Forget them too: what Redis remembers of them counts as its memory."""
        durations = [entry["duration"] for entry in self._redis.slowlog_get(1_000_000)]
        self._longest_microseconds = max([self._longest_microseconds, *durations])
        self._redis.slowlog_reset()


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"not within {_SECONDS:g} s: {what}")
        threading.Event().wait(_POLL_SECONDS)


def _peak_mib(child: Child) -> float:
    """The most memory that the largest process of a child ever had."""
    assert child.pid is not None
    leader = psutil.Process(child.pid)
    peaks = []
    for process in [leader, *leader.children(recursive=True)]:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peaks += [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")]
    return max(peaks) / _MIB
