"""Redis and S3 of a benchmark's own, and its Celery workers that have no engine."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from celery import Celery

from deploy.local.child import Child, Program
from deploy.local.ports import free_port
from deploy.local.servers import RedisServer, S3Server, new_access_key, new_password, new_secret_key
from deploy.local.services import service_environment, worker_command
from deploy.local.stack import server_settings
from model_store.registry import default_models_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Both servers, with their data and logs in `folder`."""

    folder: Path
    redis: RedisServer
    s3: S3Server

    @classmethod
    def of(cls, folder: Path) -> Self:
        """With ports and credentials that nobody else has; they do not run yet."""
        redis = RedisServer(folder=folder / "redis", port=free_port(), password=new_password())
        s3 = S3Server(folder=folder / "s3", port=free_port(), access_key=new_access_key(), secret_key=new_secret_key())
        return cls(folder=folder, redis=redis, s3=s3)

    def service(self, **told: str) -> dict[str, str]:
        """The environment of the service's processes; `told` are `SPADE_` variables."""
        models = {"SPADE_MODELS_DIR": str(default_models_folder())}
        return service_environment(os.environ, {**server_settings(self.redis, self.s3), **models, **told})

    @contextmanager
    def running(self) -> Iterator[None]:
        """Both are ready while the body runs. Raises `DeployError` where one does not start."""
        with self.child(self.redis), self.child(self.s3):
            yield

    def child(self, program: Program) -> Child:
        """A process beside the servers, its log beside theirs."""
        return Child(program, log=self.folder / f"{program.name}.log")


@contextmanager
def redis_of_its_own(folder: Path) -> Iterator[str]:
    """The address of an empty Redis that runs while the body does, with data and log in `folder`."""
    server = RedisServer(folder=folder / "redis", port=free_port(), password=new_password())
    with Child(server, log=folder / "redis.log"):
        yield server.url


@dataclass(frozen=True, slots=True, kw_only=True)
class NullWorker(Program):
    """A Celery worker whose application is `module`: a benchmark's own, without an engine."""

    module: str
    service: Mapping[str, str] = field(repr=False)
    celery: Celery

    @property
    def name(self) -> str:
        return "null-worker"

    def command(self) -> list[str]:
        return worker_command(hostname="null@%h", application=self.module)

    def environment(self) -> Mapping[str, str]:
        return self.service

    def prepare(self) -> None:
        pass

    def is_ready(self) -> bool:
        return bool(self.celery.control.ping(timeout=0.5))
