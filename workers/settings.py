"""Settings of the service. Only entry modules call :meth:`Settings.from_environment`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from workers.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """An S3 bucket. ``public_endpoint`` is the address that clients reach, if it differs from the service's own."""

    endpoint: str  # host:port
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = "spade"
    region: str = "us-east-1"
    secure: bool = False
    public_endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """Times and caps of the job store."""

    lease_seconds: float = 30.0
    retention_seconds: float = 7 * 24 * 3600.0
    max_losses: int = 3
    max_open_items: int = 200_000
    max_open_pixels: int = 200_000 * 256 * 256
    max_owner_items: int = 100_000
    max_owner_pixels: int = 100_000 * 256 * 256

    def __post_init__(self) -> None:
        if self.lease_seconds <= 0:
            raise SettingsError(f"lease_seconds is {self.lease_seconds}; it must be above 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """One worker process."""

    device: str = "auto"
    models: tuple[str, ...] = ()  # names of the models it serves; empty: all that the registry holds
    batch_items: int = 8
    batch_pixels: int = 8 * 512 * 512
    threads: int = 0  # CPU threads of the engine; 0: what torch picks
    port: int | None = None  # of /livez, /readyz and /metrics; None: not served
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the API and the workers are told from outside."""

    redis_url: str = field(repr=False)  # may carry a password
    storage: StorageSettings
    queue: QueueSettings = QueueSettings()
    worker: WorkerSettings = WorkerSettings()
    models_dir: Path | None = None
    max_items_per_job: int = 1000
    max_request_bytes: int = 256 * 2**20

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the ``SPADE_*`` variables. Raises `SettingsError` that names the variable."""
        read = _Reader(environment)
        models_dir = read.text("SPADE_MODELS_DIR", "")
        return cls(
            redis_url=read.required("SPADE_REDIS_URL"),
            storage=StorageSettings(
                endpoint=read.required("SPADE_S3_ENDPOINT"),
                access_key=read.required("SPADE_S3_ACCESS_KEY"),
                secret_key=read.required("SPADE_S3_SECRET_KEY"),
                bucket=read.text("SPADE_S3_BUCKET", "spade"),
                region=read.text("SPADE_S3_REGION", "us-east-1"),
                secure=read.flag("SPADE_S3_SECURE"),
                public_endpoint=read.text("SPADE_S3_PUBLIC_ENDPOINT", "") or None,
            ),
            queue=QueueSettings(
                lease_seconds=read.number("SPADE_LEASE_SECONDS", 30.0),
                retention_seconds=read.number("SPADE_RETENTION_SECONDS", 7 * 24 * 3600.0),
                max_open_items=int(read.number("SPADE_MAX_OPEN_ITEMS", 200_000)),
                max_owner_items=int(read.number("SPADE_MAX_OWNER_ITEMS", 100_000)),
            ),
            worker=WorkerSettings(
                device=read.text("SPADE_DEVICE", "auto"),
                models=tuple(filter(None, read.text("SPADE_WORKER_MODELS", "").split(","))),
                batch_items=int(read.number("SPADE_BATCH_ITEMS", 8)),
                batch_pixels=int(read.number("SPADE_BATCH_PIXELS", 8 * 512 * 512)),
                threads=int(read.number("SPADE_THREADS", 0)),
                port=int(read.number("SPADE_WORKER_PORT", 0)) or None,
                host=read.text("SPADE_WORKER_HOST", "127.0.0.1"),
            ),
            models_dir=Path(models_dir) if models_dir else None,
            max_items_per_job=int(read.number("SPADE_MAX_ITEMS_PER_JOB", 1000)),
            max_request_bytes=int(read.number("SPADE_MAX_REQUEST_BYTES", 256 * 2**20)),
        )


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str) -> str:
        return self._environment.get(name, default)

    def required(self, name: str) -> str:
        value = self._environment.get(name)
        if not value:
            raise SettingsError(f"The environment variable {name} is not set; the service needs it.")
        return value

    def number(self, name: str, default: float) -> float:
        text = self._environment.get(name)
        if not text:
            return float(default)
        try:
            return float(text)
        except ValueError as error:
            raise SettingsError(f"{name} is {text!r}; it must be a number.") from error

    def flag(self, name: str) -> bool:
        text = self._environment.get(name, "false").lower()
        if text not in ("true", "false", "1", "0"):
            raise SettingsError(f"{name} is {text!r}; it must be true or false.")
        return text in ("true", "1")
