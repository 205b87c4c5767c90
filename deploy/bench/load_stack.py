"""A service of its own for the load benchmark: Redis, S3, two API processes, and a worker without an engine."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from celery import Celery

from deploy.bench.load_requests import MODEL
from deploy.local.child import Child, Program
from deploy.local.ports import free_port
from deploy.local.servers import RedisServer, S3Server, new_access_key, new_password, new_secret_key
from deploy.local.services import ApiServer, service_environment, worker_command
from deploy.local.stack import server_settings
from model_store.registry import default_models_folder
from workers.settings import Settings
from workers.wakeup import create_celery

API_PROCESSES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadWorker(Program):
    """A Celery worker of `deploy.bench.load_worker`."""

    service: Mapping[str, str] = field(repr=False)
    celery: Celery

    @property
    def name(self) -> str:
        return "null-worker"

    def command(self) -> list[str]:
        arguments = worker_command(hostname="null@%h")
        return ["deploy.bench.load_worker" if word == "workers.app" else word for word in arguments]

    def environment(self) -> Mapping[str, str]:
        return self.service

    def prepare(self) -> None:
        pass

    def is_ready(self) -> bool:
        return bool(self.celery.control.ping(timeout=0.5))


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
        folder = Path(name)
        redis = RedisServer(folder=folder / "redis", port=free_port(), password=new_password())
        s3 = S3Server(folder=folder / "s3", port=free_port(), access_key=new_access_key(), secret_key=new_secret_key())
        models = {"SPADE_MODELS_DIR": str(default_models_folder()), "SPADE_WORKER_MODELS": MODEL}
        service = service_environment(os.environ, {**server_settings(redis, s3), **models, **told})
        api = ApiServer(port=free_port(), metrics_folder=folder / "metrics", service=service, processes=API_PROCESSES)
        worker = LoadWorker(service=service, celery=create_celery(redis.url))
        with (
            Child(redis, log=folder / "redis.log"),
            Child(s3, log=folder / "s3.log"),
            Child(worker, log=folder / "worker.log") as worker_child,
            Child(api, log=folder / "api.log") as api_child,
        ):
            yield LoadStack(
                url=api.url,
                settings=Settings.from_environment(service),
                api=api_child,
                worker=worker_child,
                folder=folder,
            )
