"""TorchServe on 127.0.0.1, as a child process.

Java is run as TorchServe's own launcher does. The launcher itself keeps one process id for the whole machine in the
temporary folder, and lets there be no second TorchServe.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import httpx

import model_store
from deploy.errors import StateError
from deploy.local.child import Program
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.programs import find_java, find_torchserve
from deploy.local.servers import plain_environment, write_private
from model_store.torchserve.config import ArchiveConfig, BackendConfig
from model_store.torchserve.wire import MAX_REQUEST_BYTES
from workers.errors import EngineUnavailableError
from workers.settings import EngineKind, WorkerSettings
from workers.torchserve_keys import TorchServeKey

_ANSWER_SECONDS: Final = 5.0
_HEAP: Final = "512m"
_DIRECT_MEMORY: Final = "512m"
_TOKEN_MINUTES: Final = 10 * 365 * 24 * 60
"""A process gets new keys at its start; until then they are good."""
_MAX_ANSWER_BYTES: Final = 256 * 2**20
"""Of a backend, for a whole batch."""
_WAITING_REQUESTS: Final = 256
_PASSED_ON: Final = ("CUDA_", "NVIDIA_", "LD_LIBRARY_PATH", "OMP_", "MKL_")
_LONGEST_SOCKET_PATH: Final = 100
"""Bytes. A backend's socket lies in the temporary folder, and the system takes 107 for its name."""
_LOGGING: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="%d{ISO8601} %p %c{1} %m%n"/></Console></Appenders>
  <Loggers>
    <Root level="info"><AppenderRef ref="out"/></Root>
    <Logger name="ACCESS_LOG" level="warn"/>
    <Logger name="org.pytorch.serve.wlm.WorkerThread" level="warn"/>
    <Logger name="MODEL_LOG" level="info">
      <RegexFilter regex="Backend received inference at: .*" onMatch="DENY" onMismatch="NEUTRAL"/>
    </Logger>
  </Loggers>
</Configuration>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchServePorts:
    """Its five, all of 127.0.0.1; the two of gRPC cannot be switched off."""

    inference: int
    management: int
    metrics: int
    grpc_inference: int
    grpc_management: int

    @classmethod
    def free(cls) -> Self:
        """Ones that nobody listens on now."""
        ports: set[int] = set()
        while len(ports) < 5:
            ports.add(free_port())
        return cls(**dict(zip(cls.__slots__, sorted(ports), strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchServe(Program):
    """TorchServe without models; whoever has its management key registers them, from `archives`.

    Everything that it writes is in `folder`, of which its owner alone may see anything.
    """

    folder: Path
    ports: TorchServePorts
    ready_seconds: float = 60.0
    grace_seconds: float = 20.0
    hung_seconds: float = 30.0

    @property
    def name(self) -> str:
        return "torchserve"

    @property
    def working_folder(self) -> Path:
        """It writes its keys into the one where it runs."""
        return self.folder

    @property
    def url(self) -> str:
        """Of its inference API."""
        return f"http://{LOOPBACK}:{self.ports.inference}"

    @property
    def management_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.management}"

    @property
    def key_file(self) -> Path:
        return self.folder / "key_file.json"

    @property
    def archives(self) -> Path:
        return self.folder / "archives"

    def command(self) -> list[str]:
        packages = find_torchserve()
        return [
            str(find_java()),
            f"-Dmodel_server_home={packages}",
            f"-Djava.io.tmpdir={self._temporary}",
            f"-Dlog4j.configurationFile={(self.folder / 'log4j2.xml').as_uri()}",
            f"-Xmx{_HEAP}",
            f"-XX:MaxDirectMemorySize={_DIRECT_MEMORY}",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-cp",
            f"{packages}/ts/frontend/*",
            "org.pytorch.serve.ModelServer",
            "--python",
            sys.executable,
            "-f",
            str(self._config),
            "-s",
            str(self.archives),
            "-ncs",  # it remembers no models from one start to the next
        ]

    def environment(self) -> Mapping[str, str]:
        """Its backends inherit it, so it has none of the service's credentials. They run the code that this runs."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
        return {
            **plain_environment(),
            **kept,
            "OMP_WAIT_POLICY": "PASSIVE",  # as in workers.app
            "LOG_LOCATION": str(self.folder),
            "METRICS_LOCATION": str(self.folder),
            "PYTHONPATH": str(Path(model_store.__file__).absolute().parents[1]),
        }

    def prepare(self) -> None:
        """Raises `StateError` where the folder's name is too long for what TorchServe puts into it."""
        socket = self._temporary / ".ts.sock.9000"
        if len(os.fsencode(socket)) > _LONGEST_SOCKET_PATH:
            raise StateError(
                f"{self.folder} is too long a name for TorchServe, whose backends have sockets like {socket}; choose a "
                f"folder that makes it at most {_LONGEST_SOCKET_PATH} bytes"
            )
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.key_file.unlink(missing_ok=True)  # of an earlier process
        for emptied in (self._temporary, self.archives):
            shutil.rmtree(emptied, ignore_errors=True)
            emptied.mkdir()
        write_private(self.folder / "log4j2.xml", _LOGGING)
        write_private(self._config, _properties(self.ports))

    def is_ready(self) -> bool:
        return self._ping() == httpx.codes.OK

    def answers(self) -> bool:
        """What its answer says is of its models' backends, which it starts again by itself."""
        return self._ping() is not None

    def _ping(self) -> int | None:
        """The status of its answer, if there is one."""
        try:
            header = {"Authorization": TorchServeKey(self.key_file, "inference").header()}
            return httpx.get(f"{self.url}/ping", headers=header, timeout=_ANSWER_SECONDS, trust_env=False).status_code
        except (EngineUnavailableError, httpx.HTTPError):
            return None

    @property
    def _temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def _config(self) -> Path:
        return self.folder / "config.properties"


def torchserve_settings(server: TorchServe) -> dict[str, str]:
    """The variables that tell a worker to have `server` make its pictures."""
    return {
        "SPADE_ENGINE": EngineKind.TORCHSERVE.value,
        "SPADE_TORCHSERVE_URL": server.url,
        "SPADE_TORCHSERVE_KEY_FILE": str(server.key_file),
    }


def archive_config(worker: WorkerSettings) -> ArchiveConfig:
    """What a worker would compute with, for TorchServe to do it."""
    backend = BackendConfig(
        device=worker.device,
        threads=worker.threads,
        precision=worker.precision,
        compile=worker.compile,
        cache_bytes=worker.cache_bytes,
    )
    return ArchiveConfig(batch_items=worker.batch_items, backend=backend)


def _properties(ports: TorchServePorts) -> str:
    values: dict[str, object] = {
        "inference_address": f"http://{LOOPBACK}:{ports.inference}",
        "management_address": f"http://{LOOPBACK}:{ports.management}",
        "metrics_address": f"http://{LOOPBACK}:{ports.metrics}",
        "grpc_inference_address": LOOPBACK,
        "grpc_management_address": LOOPBACK,
        "grpc_inference_port": ports.grpc_inference,
        "grpc_management_port": ports.grpc_management,
        "disable_token_authorization": "false",
        "token_expiration_min": _TOKEN_MINUTES,
        "enable_model_api": "true",  # to register models while it runs
        "allowed_urls": "none",  # a pattern that no address of an archive has; files of `archives` need none
        "install_py_dep_per_model": "false",
        "use_env_allowed_urls": "false",
        "enable_envvars_config": "false",
        "metrics_mode": "prometheus",
        "disable_system_metrics": "true",  # of the machine; they would start a process each minute
        "number_of_netty_threads": 4,  # one is held up while a model is registered; others answer meanwhile
        "netty_client_threads": 2,
        "job_queue_size": _WAITING_REQUESTS,
        "max_request_size": MAX_REQUEST_BYTES,
        "max_response_size": _MAX_ANSWER_BYTES,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())
