"""The embedded stack: Redis, object store, API and workers on this machine, from one state folder."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from deploy.local.child import Child, Program
from deploy.local.metrics import Exporter, PrometheusServer
from deploy.local.programs import has_prometheus
from deploy.local.servers import RedisServer, S3Server
from deploy.local.services import ApiServer, Worker, service_environment
from deploy.local.state import StackConfig, StateFolder
from deploy.local.supervisor import LONGEST_PAUSE_SECONDS, Supervisor
from deploy.torchserve.keeper import models_kept
from deploy.torchserve.server import TorchServe, TorchServePorts, archive_config, torchserve_settings
from model_store.registry import Registry, default_models_folder
from spade.cpus import usable_cpus
from workers.settings import EngineKind, Settings


class LocalStack:
    """Everything that serves a label map, on 127.0.0.1.

    `port` is the API's (None: the one of last time, or a free one), `environment` what its processes inherit;
    of it `SPADE_MODELS_DIR`, `SPADE_DEVICE` and the like take effect, addresses and credentials are the stack's own.
    A stack that `is_watched` has an exporter of the queue's figures, and Prometheus if there is one on this machine.
    `report` is told, in a sentence, whenever a process ended and is started again, which takes longer each time up to
    `longest_pause_seconds`.
    """

    def __init__(
        self,
        state: Path,
        *,
        environment: Mapping[str, str],
        report: Callable[[str], None],
        port: int | None = None,
        workers: int = 1,
        is_watched: bool = False,
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self.state = StateFolder(state)
        self._environment = environment
        self._port = port
        self._workers = workers
        self._is_watched = is_watched
        self._report = report
        self._longest_pause_seconds = longest_pause_seconds
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
    def prometheus_url(self) -> str | None:
        """Address of its Prometheus, if it has one; known once the stack was started."""
        servers = (child.program for child in self.children if isinstance(child.program, PrometheusServer))
        return next((server.url for server in servers), None)

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
            stages, beside = self._stages(config)
            self._supervisor = Supervisor(
                stages, report=self._report, longest_pause_seconds=self._longest_pause_seconds
            )
            if self._stop_early.is_set():
                return
            with beside:
                self._supervisor.run(on_ready=on_ready)

    def stop(self) -> None:
        """Ask for an orderly end; asked twice, do not wait for work in hand. For any thread, but no signal handler."""
        self._stop_early.set()
        if self._supervisor is not None:
            self._supervisor.stop()

    def _stages(self, config: StackConfig) -> tuple[list[list[Child]], AbstractContextManager[None]]:
        """The processes, and what goes on beside them."""
        redis, s3 = stack_servers(self.state, config)
        torchserve = self._torchserve()
        prometheus = self._prometheus(config, torchserve)
        told = {
            **self._settings(config, redis, s3),
            **({} if torchserve is None else torchserve_settings(torchserve)),
            **({} if prometheus is None else {"SPADE_PROMETHEUS_URL": prometheus.url}),
        }
        service = service_environment(self._environment, told)
        settings = Settings.from_environment(service)  # raises here rather than in the log of a process
        registry = Registry(settings.models_dir, report=lambda error: self._report(f"Warning: {error}"))
        registry.cards()  # those that cannot be used are told
        api = ApiServer(port=config.api_port, metrics_folder=self.state.metrics, service=service)
        workers = [
            Worker(number=number, port=port, service=service) for number, port in enumerate(config.worker_ports, 1)
        ]
        watchers: list[Program] = [] if prometheus is None else [prometheus]
        if self._is_watched:
            watchers.append(Exporter(port=config.exporter_port, folder=self.state.path, service=service))
        serving = self._children(api, *workers, *watchers)
        if torchserve is None:
            return [self._children(redis, s3), serving], nullcontext()
        kept = models_kept(
            torchserve,
            registry,
            config=archive_config(settings.worker),
            report=self._report,
            names=settings.worker.models,
        )
        return [self._children(redis, s3, torchserve), serving], kept

    def _torchserve(self) -> TorchServe | None:
        """Where the environment says that it is the engine."""
        if self._environment.get("SPADE_ENGINE") != EngineKind.TORCHSERVE:
            return None
        return TorchServe(folder=self.state.torchserve, ports=TorchServePorts.free())

    def _prometheus(self, config: StackConfig, torchserve: TorchServe | None) -> PrometheusServer | None:
        """None where nobody watches or this machine has no Prometheus."""
        if not self._is_watched or not has_prometheus():
            return None
        targets = {
            "spade-api": (config.api_port,),
            "spade-worker": config.worker_ports,
            "spade-exporter": (config.exporter_port,),
            **({} if torchserve is None else {"torchserve": (torchserve.ports.metrics,)}),
        }
        return PrometheusServer(folder=self.state.prometheus, port=config.prometheus_port, targets=targets)

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
