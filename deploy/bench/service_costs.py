"""What a whole service asks of its servers: a worker without work of Redis, and a picture of the object store."""

import tempfile
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import redis
from prometheus_client.parser import text_string_to_metric_families

from deploy.bench.load_requests import MODEL, PATH, submission
from deploy.bench.servers import Servers
from deploy.bench.waiting import wait_until
from deploy.errors import BenchmarkError
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.services import ApiServer, Worker
from workers.messages import State
from workers.redis_client import PREFIX

_JOB_ITEMS: Final = 20
_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleWorker:
    """A worker without work: what it asks of Redis, Celery's share included."""

    connections: int
    commands_per_second: float
    redis_us_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCosts:
    """Calls to the object store are by operation, for each picture, from the submission to the record of the job."""

    idle_worker: IdleWorker
    storage_calls_alone: Mapping[str, float]
    """Of a job of one label map."""
    storage_calls_in_jobs_of_20: Mapping[str, float]


def measure_service_costs(*, jobs: int, idle_seconds: float) -> ServiceCosts:
    """Watch one real worker for so long, then have it make `jobs` pictures, each a job, and as many jobs of 20."""
    with tempfile.TemporaryDirectory(prefix="spade-bench-") as name:
        servers = Servers.of(Path(name))
        service = servers.service(SPADE_WORKER_MODELS=MODEL)
        worker = Worker(number=1, port=free_port(), service=service)
        api = ApiServer(port=free_port(), metrics_folder=servers.folder / "metrics", service=service, processes=1)
        client: Any = redis.Redis.from_url(servers.redis.url)
        with servers.running():
            ours = client.info("clients")["connected_clients"]
            with servers.child(worker):
                idle = _watch(client, ours, idle_seconds)
                with servers.child(api), httpx.Client(base_url=api.url, timeout=_SECONDS, trust_env=False) as http:
                    metrics = (f"{api.url}/metrics", f"http://{LOOPBACK}:{worker.port}/metrics")
                    return ServiceCosts(
                        idle_worker=idle,
                        storage_calls_alone=_calls(http, client, metrics, jobs=jobs, items=1),
                        storage_calls_in_jobs_of_20=_calls(http, client, metrics, jobs=jobs, items=_JOB_ITEMS),
                    )


def _watch(client: Any, ours: int, seconds: float) -> IdleWorker:  # noqa: ANN401 - redis-py's annotations do not fit
    before = _used(client)
    threading.Event().wait(seconds)
    commands, busy = (now - then for now, then in zip(_used(client), before, strict=True))
    return IdleWorker(
        connections=client.info("clients")["connected_clients"] - ours,
        commands_per_second=commands / seconds,
        redis_us_per_second=1e6 * busy / seconds,
    )


def _used(client: Any) -> tuple[int, float]:  # noqa: ANN401 - as above
    """Commands since ever, and processor seconds."""
    cpu = client.info("cpu")
    return (
        client.info("stats")["total_commands_processed"],
        cpu["used_cpu_user_main_thread"] + cpu["used_cpu_sys_main_thread"],
    )


def _calls(
    http: httpx.Client,
    client: Any,  # noqa: ANN401 - as above
    metrics: tuple[str, ...],
    *,
    jobs: int,
    items: int,
) -> dict[str, float]:
    """Calls for each picture, by operation."""
    before = _storage_calls(http, metrics)
    body, headers = submission(variations=1, label_maps=items)
    for _ in range(jobs):
        answer = http.post(PATH, content=body, headers=headers)
        if answer.status_code != httpx.codes.ACCEPTED:
            raise BenchmarkError(f"the job was not accepted: {answer.text}")
        _wait_recorded(http, client, answer.json()["id"])
    calls = _storage_calls(http, metrics) - before
    return {operation: count / (jobs * items) for operation, count in sorted(calls.items())}


def _wait_recorded(http: httpx.Client, client: Any, job_id: str) -> None:  # noqa: ANN401 - as above
    def is_recorded() -> bool:
        state = http.get(f"{PATH}/{job_id}").raise_for_status().json()["state"]
        return bool(state == State.SUCCEEDED and client.zcard(f"{PREFIX}unrecorded") == 0)

    wait_until(is_recorded, f"job {job_id} has succeeded and is recorded", seconds=_SECONDS, poll_seconds=0.05)


def _storage_calls(http: httpx.Client, metrics: tuple[str, ...]) -> Counter[str]:
    """Since the processes started, by operation."""
    calls: Counter[str] = Counter()
    for url in metrics:
        for family in text_string_to_metric_families(http.get(url).raise_for_status().text):
            for sample in family.samples:
                if sample.name == "spade_storage_calls_total":
                    calls[sample.labels["operation"]] += int(sample.value)
    return calls
