"""Our own two processes: the API under gunicorn, and a Celery worker. Both are told everything through `SPADE_*`."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from deploy.local.child import Program
from deploy.local.ports import LOOPBACK

_ANSWER_SECONDS = 5.0
_NOT_PASSED_ON = ("GUNICORN_", "CELERY_", "FLASK_", "PROMETHEUS_")
"""Variables of the frameworks; one that is set for something else must not change how ours start."""


_LEAN_MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(2**20)}
"""Read by glibc when a process starts: it is to hand back what large requests took. By default each thread keeps a
share of that for good."""


def service_environment(environment: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Our environment without the frameworks' variables, with `settings` on top."""
    kept = {name: value for name, value in environment.items() if not name.startswith(_NOT_PASSED_ON)}
    return {**kept, **settings}


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        return httpx.get(url, timeout=_ANSWER_SECONDS, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def api_command(*, host: str, port: int, processes: int) -> list[str]:
    """gunicorn with the API; the rest is in `deploy/gunicorn_config.py`. `-P`: its folder is not searched for code."""
    address = ["--bind", f"{host}:{port}", "--workers", str(processes)]
    return [
        sys.executable,
        "-P",
        "-m",
        "gunicorn",
        "--config",
        "python:deploy.gunicorn_config",
        *address,
        "api.wsgi:app",
    ]


def api_environment(service: Mapping[str, str], *, metrics_folder: Path) -> dict[str, str]:
    """What gunicorn is told besides the service's variables."""
    return {**_LEAN_MEMORY, **service, "PROMETHEUS_MULTIPROC_DIR": str(metrics_folder)}


def worker_command(*, hostname: str, application: str = "workers.app") -> list[str]:
    """A Celery worker that computes in its main process: CUDA and torch's threads do not survive a fork.

    `application` is the module that it runs; benchmarks and tests have their own, without an engine.
    """
    options = ["--pool", "solo", "--loglevel", "INFO", "--hostname", hostname, "--without-gossip", "--without-mingle"]
    return [sys.executable, "-P", "-m", "celery", "-A", application, "worker", *options]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServer(Program):
    """The HTTP API on 127.0.0.1. `metrics_folder` holds the counters of its processes and is emptied at each start."""

    port: int
    metrics_folder: Path
    service: Mapping[str, str] = field(repr=False)
    processes: int = 2

    @property
    def name(self) -> str:
        return "api"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def command(self) -> list[str]:
        return api_command(host=LOOPBACK, port=self.port, processes=self.processes)

    def environment(self) -> Mapping[str, str]:
        return api_environment(self.service, metrics_folder=self.metrics_folder)

    def prepare(self) -> None:
        forget_metrics(self.metrics_folder)

    def is_ready(self) -> bool:
        return answers(f"{self.url}/readyz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker(Program):
    """A worker on this machine; `port` serves its probes and metrics. Stopping, it finishes its batch first."""

    number: int
    port: int
    service: Mapping[str, str] = field(repr=False)
    ready_seconds: float = 180.0
    grace_seconds: float = 120.0
    """Less than in containers: somebody waits at a terminal. What is cut off is made again after the next start."""

    @property
    def name(self) -> str:
        return f"worker-{self.number}"

    def command(self) -> list[str]:
        return worker_command(hostname=f"{self.name}-{self.port}@%h")

    def environment(self) -> Mapping[str, str]:
        return {**self.service, "SPADE_WORKER_HOST": LOOPBACK, "SPADE_WORKER_PORT": str(self.port)}

    def prepare(self) -> None:
        pass

    def is_ready(self) -> bool:
        return answers(f"http://{LOOPBACK}:{self.port}/readyz")


def forget_metrics(folder: Path) -> None:
    """Make `folder` exist without counters of processes that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    for counters in folder.glob("*.db"):
        counters.unlink()
