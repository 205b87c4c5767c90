"""What a bulk job costs: many small label maps through a real API, Redis and object store, without an engine.

The worker brings the items in, claims and commits them as any other, and makes no pictures: what is measured is the
service around the engine, above all whether memory and the longest call of Redis grow with the job.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import redis

from deploy.bench.servers import NullWorker, Servers
from deploy.bench.waiting import wait_until
from deploy.errors import BenchmarkError
from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import ApiServer
from workers.wakeup import create_celery

MODEL: Final = "landscape"
_PREFIX: Final = "inputs/bulk/"
_TENTH: Final = "a-tenth/"
_SLOW_MICROSECONDS: Final = 3000
_SECONDS: Final = 1800.0
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


def measure_bulk(*, items: int) -> BulkFigures:
    """Run the benchmark. Raises BenchmarkError where the job does not end as it should."""
    with tempfile.TemporaryDirectory() as name:
        servers = Servers.of(Path(name))
        maps = servers.s3.folder / servers.s3.bucket / _PREFIX
        _write_maps(maps / _TENTH, items // 10)
        _write_maps(maps, items - items // 10)
        # No models folder: a worker without an engine needs no weights, and they take time to be drawn.
        models = str(servers.folder / "models")
        told = {"SPADE_MAX_BULK_ITEMS": str(items), "SPADE_MODELS_DIR": models, "SPADE_WORKER_MODELS": MODEL}
        service = servers.service(**told)
        metrics = servers.folder / "metrics"
        api = ApiServer(port=free_port(), metrics_folder=metrics, service=service, processes=1)
        celery = create_celery(servers.redis.url)
        worker = NullWorker(module="deploy.bench.service_worker", service=service, celery=celery)
        with (
            servers.running(),
            servers.child(api) as api_child,
            httpx.Client(base_url=api.url, timeout=_SECONDS, trust_env=False) as http,
        ):
            run = _Run(items, redis.Redis.from_url(servers.redis.url), http, api_child)
            return run.measure(servers.child(worker))


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
            self._wait_succeeded(tenth)
            api_tenth, worker_tenth = _peak_mib(self._api), _peak_mib(worker)
            empty_bytes = self._redis_bytes()
            accepted, brought_in, ended = self._seconds_to_end()
            ended_bytes = self._redis_bytes()
            worker_peak = _peak_mib(worker)
        canceled = self._seconds_to_cancel()
        canceled_bytes = self._redis_bytes()
        return BulkFigures(
            items=self._items,
            accepted_seconds=accepted,
            brought_in_seconds=brought_in,
            ended_seconds=ended,
            canceled_seconds=canceled,
            api_mib_before=api_before,
            api_mib_after_a_tenth=api_tenth,
            api_mib=_peak_mib(self._api),
            worker_mib_after_a_tenth=worker_tenth,
            worker_mib=worker_peak,
            redis_bytes_per_canceled_item=(canceled_bytes - ended_bytes) / self._items,
            redis_bytes_per_ended_item=(ended_bytes - empty_bytes) / self._items,
            longest_redis_call_ms=self._longest_microseconds / 1000,
        )

    def _seconds_to_end(self) -> tuple[float, float, float]:
        """Of a job: until it is accepted, until all its items are there, until it has ended."""
        started = time.perf_counter()
        job = self._submit()
        accepted = time.perf_counter() - started
        wait_until(lambda: self._there(job) or self._has_succeeded(job), "all items are there", seconds=_SECONDS)
        brought_in = time.perf_counter() - started
        self._wait_succeeded(job)
        return accepted, brought_in, time.perf_counter() - started

    def _seconds_to_cancel(self) -> float:
        """Of a job that nobody works at."""
        job = self._submit()
        started = time.perf_counter()
        canceled = self._http.post(f"/v1/jobs/{job}/cancel").raise_for_status().json()
        seconds = time.perf_counter() - started
        if canceled["job"]["counts"]["canceled"] != self._items:
            raise BenchmarkError(f"{self._items} items were to be canceled: {canceled['outcomes']}")
        return seconds

    def _wait_succeeded(self, job_id: str) -> None:
        wait_until(lambda: self._has_succeeded(job_id), f"job {job_id} has succeeded", seconds=_SECONDS)

    def _has_succeeded(self, job_id: str) -> bool:
        return bool(self._job(job_id)["state"] == "succeeded")

    def _submit(self, prefix: str = _PREFIX) -> str:
        answer = self._http.post("/v1/jobs", json={"params": {"model": MODEL}, "prefix": prefix})
        if answer.status_code != httpx.codes.ACCEPTED:
            raise BenchmarkError(f"the job was not accepted: {answer.text}")
        return str(answer.json()["id"])

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


def _peak_mib(child: Child) -> float:
    """The most memory that the largest process of a child ever had."""
    assert child.pid is not None
    leader = psutil.Process(child.pid)
    peaks = []
    for process in [leader, *leader.children(recursive=True)]:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peaks += [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")]
    return max(peaks) / _MIB
