"""The state folder of an embedded stack: its data, its logs, and what it must remember from one start to the next.

lock         held while a stack runs; says which process and which address
stack.json   ports and credentials, readable by its owner only
redis/ s3/   the data
torchserve/  what TorchServe writes where it is the engine, its keys too; made anew at each start
metrics/     counters of the API's processes, emptied at start
prometheus/  what Prometheus keeps, where it runs beside the service
logs/        one file for each child process
"""

import dataclasses
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import platformdirs

from deploy.errors import PortTakenError, StateError
from deploy.local.ports import LOOPBACK, free_port, is_free
from deploy.local.servers import new_access_key, new_password, new_secret_key, new_webhook_secret, write_private


def default_state_folder() -> Path:
    """`~/.local/state/spade-serving`, or where this system keeps such things."""
    return platformdirs.user_state_path("spade-serving", appauthor=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """Ports and credentials of a stack, as `stack.json` keeps them."""

    api_port: int
    redis_port: int
    s3_port: int
    worker_ports: tuple[int, ...]
    redis_password: str = field(repr=False)
    s3_access_key: str
    s3_secret_key: str = field(repr=False)
    # Not yet in files of older versions.
    webhook_secret: str = field(repr=False, default_factory=new_webhook_secret)
    exporter_port: int = 0
    prometheus_port: int = 0

    @property
    def url(self) -> str:
        """Address of the API."""
        return f"http://{LOOPBACK}:{self.api_port}"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises `TypeError`, `ValueError` or `KeyError` where the text is not what `to_json` writes."""
        values: dict[str, Any] = json.loads(text)
        return cls(**{**values, "worker_ports": tuple(values["worker_ports"])})

    def to_json(self) -> str:
        """The text of `stack.json`."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


class StateFolder:
    """Paths below one state folder, its lock and its remembered configuration."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self.redis = self.path / "redis"
        self.s3 = self.path / "s3"
        self.metrics = self.path / "metrics"
        self.prometheus = self.path / "prometheus"
        self.torchserve = self.path / "torchserve"
        self._config = self.path / "stack.json"
        self._lock = self.path / "lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the folder and those below it, and hold its lock, so that one stack at a time uses the data.

        Raises `StateError` when another stack holds it (naming process and address) or the folder is not writable.
        """
        try:
            for folder in (self.path, self.redis, self.s3, self.metrics, self.prometheus, self.logs):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # what users send is nobody else's business
            lock = self._lock.open("a+", encoding="utf-8")
        except OSError as error:
            raise StateError(f"the state folder {self.path} cannot be used: {error.strerror}") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StateError(self._holder()) from error
            yield

    def note_holder(self, pid: int, url: str) -> None:
        """Say in the lock file who holds it, for the next one who tries."""
        self._lock.write_text(f"process {pid}, {url}\n", encoding="utf-8")

    def read_config(self) -> StackConfig | None:
        """What an earlier start wrote; None where there was none. Raises `StateError` on a damaged file."""
        try:
            return StackConfig.from_json(self._config.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, TypeError, ValueError, KeyError) as error:
            raise StateError(
                f"{self._config} cannot be read ({error}); it holds the passwords of the data beside it: restore it, "
                "or delete the whole folder to start afresh"
            ) from error

    def configure(self, *, port: int | None, workers: int) -> StackConfig:
        """The configuration of this start: credentials for ever, ports as last time unless they are taken now.

        Raises `PortTakenError` when `port` is given and taken.
        """
        if port is not None and not is_free(port):
            raise PortTakenError(f"port {port} is in use; choose another with --port, or leave it out for a free one")
        old = self.read_config()
        ports = _Ports()
        old_workers = old.worker_ports if old else ()
        config = StackConfig(
            api_port=port if port is not None else ports.same_or_free(old.api_port if old else None),
            redis_port=ports.same_or_free(old.redis_port if old else None),
            s3_port=ports.same_or_free(old.s3_port if old else None),
            worker_ports=tuple(
                ports.same_or_free(old_workers[index] if index < len(old_workers) else None) for index in range(workers)
            ),
            redis_password=old.redis_password if old else new_password(),
            s3_access_key=old.s3_access_key if old else new_access_key(),
            s3_secret_key=old.s3_secret_key if old else new_secret_key(),
            webhook_secret=old.webhook_secret if old else new_webhook_secret(),
            exporter_port=ports.same_or_free((old and old.exporter_port) or None),
            prometheus_port=ports.same_or_free((old and old.prometheus_port) or None),
        )
        write_private(self._config, config.to_json())
        return config

    def _holder(self) -> str:
        holder = self._lock.read_text(encoding="utf-8").strip() or "it is just starting"
        return (
            f"a stack is already running on {self.path}: {holder}; use that one, stop it (Ctrl-C where it runs), "
            "or give this one a folder of its own with --state"
        )


class _Ports:
    """Hands out ports, no port twice."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def same_or_free(self, old: int | None) -> int:
        port = old if old is not None and old not in self._given and is_free(old) else free_port()
        while port in self._given:
            port = free_port()
        self._given.add(port)
        return port
