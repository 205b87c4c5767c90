"""The embedded stack: Redis, object store, API and workers on this machine, from one state folder."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from deploy.local.child import Child, Program
from deploy.local.servers import RedisServer, S3Server
from deploy.local.services import ApiServer, Worker, service_environment
from deploy.local.state import StackConfig, StateFolder
from deploy.local.supervisor import Supervisor
from model_store.registry import default_models_folder
from spade.cpus import usable_cpus
from workers.settings import Settings


class LocalStack:
    """Everything that serves a label map, on 127.0.0.1.

    `port` is the API's (None: the one of last time, or a free one), `environment` what its processes inherit;
    of it `SPADE_MODELS_DIR`, `SPADE_DEVICE` and the like take effect, addresses and credentials are the stack's own.
    `report` is told, in a sentence, whenever a process ended and is started again.
    """

    def __init__(
        self,
        state: Path,
        *,
        environment: Mapping[str, str],
        report: Callable[[str], None],
        port: int | None = None,
        workers: int = 1,
    ) -> None:
        self.state = StateFolder(state)
        self._environment = environment
        self._port = port
        self._workers = workers
        self._report = report
        self._supervisor: Supervisor | None = None
        self._stop_early = threading.Event()
        self._config: StackConfig | None = None

    @property
    def url(self) -> str:
        """Address of the API; known once the stack was started."""
        if self._config is None:
            raise RuntimeError("the stack was not started yet")
        return self._config.url

    @property
    def children(self) -> list[Child]:
        """The processes, in the order of their start."""
        return self._supervisor.children if self._supervisor else []

    def run(self, *, on_ready: Callable[[], None]) -> None:
        """Start, call `on_ready`, and keep it running until `stop`. Everything happens in the calling thread.

        Raises `DeployError` where the folder is in use, a port is taken, or a part does not start; `SettingsError`
        where the environment has a setting that is wrong.
        """
        with self.state.locked():
            config = self.state.configure(port=self._port, workers=self._workers)
            self._config = config
            self.state.note_holder(os.getpid(), config.url)
            self._supervisor = Supervisor(self._stages(config), report=self._report)
            if self._stop_early.is_set():
                return
            self._supervisor.run(on_ready=on_ready)

    def stop(self) -> None:
        """Ask for an orderly end; asked twice, do not wait for work in hand. For any thread, but no signal handler."""
        self._stop_early.set()
        if self._supervisor is not None:
            self._supervisor.stop()

    def _stages(self, config: StackConfig) -> list[list[Child]]:
        redis, s3 = stack_servers(self.state, config)
        service = service_environment(self._environment, self._settings(config, redis, s3))
        Settings.from_environment(service)  # raises here rather than in the log of a process
        api = ApiServer(port=config.api_port, metrics_folder=self.state.metrics, service=service)
        workers = [
            Worker(number=number, port=port, service=service) for number, port in enumerate(config.worker_ports, 1)
        ]
        return [self._children(redis, s3), self._children(api, *workers)]

    def _children(self, *programs: Program) -> list[Child]:
        return [Child(program, log=self.state.logs / f"{program.name}.log") for program in programs]

    def _settings(self, config: StackConfig, redis: RedisServer, s3: S3Server) -> dict[str, str]:
        models = self._environment.get("SPADE_MODELS_DIR") or default_models_folder()
        return {
            **server_settings(redis, s3),
            "SPADE_MODELS_DIR": str(Path(models).absolute()),
            "SPADE_PUBLIC_URL": self._environment.get("SPADE_PUBLIC_URL") or config.url,
            "SPADE_WEBHOOK_SECRET": self._environment.get("SPADE_WEBHOOK_SECRET") or config.webhook_secret,
            "SPADE_THREADS": self._environment.get("SPADE_THREADS") or self._threads(),
        }

    def _threads(self) -> str:
        """The workers share out the CPUs that they may use."""
        return str(max(1, usable_cpus() // self._workers))


def stack_servers(state: StateFolder, config: StackConfig) -> tuple[RedisServer, S3Server]:
    """The two servers of a stack."""
    redis = RedisServer(folder=state.redis, port=config.redis_port, password=config.redis_password)
    s3 = S3Server(
        folder=state.s3,
        port=config.s3_port,
        access_key=config.s3_access_key,
        secret_key=config.s3_secret_key,
    )
    return redis, s3


def server_settings(redis: RedisServer, s3: S3Server) -> dict[str, str]:
    """The variables that tell a process where the servers are."""
    return {
        "SPADE_REDIS_URL": redis.url,
        "SPADE_S3_ENDPOINT": s3.endpoint,
        "SPADE_S3_ACCESS_KEY": s3.access_key,
        "SPADE_S3_SECRET_KEY": s3.secret_key,
        "SPADE_S3_BUCKET": s3.bucket,
        "SPADE_S3_REGION": s3.region,
        "SPADE_S3_SECURE": "false",
        "SPADE_S3_PUBLIC_ENDPOINT": "",
    }


@contextmanager
def running(stack: LocalStack) -> Iterator[LocalStack]:
    """The stack, ready, while the body runs; supervised by a thread of its own and stopped at the end.

    Raises `DeployError` where it does not start.
    """
    ready = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="stack") as executor:
        result = executor.submit(stack.run, on_ready=ready.set)
        result.add_done_callback(lambda _: ready.set())
        try:
            ready.wait()
            if result.done():
                result.result()
            yield stack
        finally:
            stack.stop()
    result.result()
