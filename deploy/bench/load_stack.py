"""A service of its own for the load benchmark: Redis, S3, two API processes, and a worker without an engine."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.bench.load_requests import MODEL
from deploy.bench.servers import NullWorker, Servers
from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import ApiServer
from workers.settings import Settings
from workers.wakeup import create_celery

API_PROCESSES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStack:
    """What runs, and how it is reached."""

    url: str
    settings: Settings
    api: Child
    worker: Child
    folder: Path


@contextmanager
def running_stack(**told: str) -> Iterator[LoadStack]:
    """The service, ready, while the body runs; `told` are `SPADE_` variables. Raises `DeployError`."""
    with tempfile.TemporaryDirectory(prefix="spade-bench-") as name:
        servers = Servers.of(Path(name))
        service = servers.service(**{"SPADE_WORKER_MODELS": MODEL, **told})
        metrics = servers.folder / "metrics"
        api = ApiServer(port=free_port(), metrics_folder=metrics, service=service, processes=API_PROCESSES)
        worker = NullWorker(
            module="deploy.bench.service_worker", service=service, celery=create_celery(servers.redis.url)
        )
        with servers.running(), servers.child(worker) as worker_child, servers.child(api) as api_child:
            yield LoadStack(
                url=api.url,
                settings=Settings.from_environment(service),
                api=api_child,
                worker=worker_child,
                folder=servers.folder,
            )
