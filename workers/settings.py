"""Settings of the service. Only entry modules call `Settings.from_environment`."""

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self, TypeVar

from spade.config import Precision
from workers.errors import SettingsError
from workers.logs import LEVELS
from workers.torchserve_settings import DEFAULT_TIMEOUT_SECONDS, TorchServeSettings
from workers.trace_settings import URL, TraceSettings, without_user
from workers.webhook_settings import WebhookSettings

_MAX_PORT = 65535
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
Choice = TypeVar("Choice", bound=StrEnum)


def _check_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise SettingsError(f"{name} is {value}; it must be {least} or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """An S3 bucket. `public_endpoint` is the address that clients reach, if it differs from the service's own."""

    endpoint: str  # host:port
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = "spade"
    region: str = "us-east-1"
    secure: bool = False
    public_endpoint: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the `SPADE_S3_*` variables; an empty one counts as not set. Raises `SettingsError`."""
        read = _Reader(environment)
        needed = cls(
            endpoint=read.required("SPADE_S3_ENDPOINT"),
            access_key=read.required("SPADE_S3_ACCESS_KEY"),
            secret_key=read.required("SPADE_S3_SECRET_KEY"),
        )
        return dataclasses.replace(
            needed,
            bucket=read.text("SPADE_S3_BUCKET", needed.bucket),
            region=read.text("SPADE_S3_REGION", needed.region),
            secure=read.flag("SPADE_S3_SECURE", needed.secure),
            public_endpoint=read.text("SPADE_S3_PUBLIC_ENDPOINT", "") or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """Times and caps of the job store. Raises `SettingsError`."""

    lease_seconds: float = 30.0
    retention_seconds: float = 7 * 24 * 3600.0
    max_losses: int = 3
    max_open_items: int = 200_000
    max_open_pixels: int = 200_000 * 256 * 256
    max_owner_items: int = 100_000
    max_owner_pixels: int = 100_000 * 256 * 256

    def __post_init__(self) -> None:
        if not 0 < self.lease_seconds < math.inf:
            raise SettingsError(f"lease_seconds is {self.lease_seconds}; it must be above 0")
        if not 0 <= self.retention_seconds < math.inf:
            raise SettingsError(f"retention_seconds is {self.retention_seconds}; it must be 0 or more")
        for name in ("max_losses", "max_open_items", "max_open_pixels", "max_owner_items", "max_owner_pixels"):
            _check_least(name, getattr(self, name), 1)


class EngineKind(StrEnum):
    """What makes the pictures."""

    LOCAL = "local"  # SPADE in the worker's own process
    TORCHSERVE = "torchserve"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """One worker process. Raises `SettingsError`."""

    engine: EngineKind = EngineKind.LOCAL
    torchserve: TorchServeSettings | None = None  # where the engine is TorchServe
    device: str = "auto"
    models: tuple[str, ...] = ()  # names of the models it serves; empty: all that the registry holds
    batch_items: int = 8
    batch_pixels: int = 8 * 512 * 512
    threads: int = 0  # CPU threads of the engine; 0: as many as this process may use CPUs
    precision: Precision = Precision.FLOAT32  # of the engine
    compile: bool = False  # fuse parts of the engine by torch.compile
    cache_bytes: int = 128 * 2**20  # kept for more pictures of the same label maps, over all models
    port: int | None = None  # of /livez, /readyz and /metrics; None: not served
    host: str = "127.0.0.1"

    def __post_init__(self) -> None:
        _check_least("batch_items", self.batch_items, 1)
        _check_least("batch_pixels", self.batch_pixels, 1)
        _check_least("threads", self.threads, 0)
        _check_least("cache_bytes", self.cache_bytes, 0)
        if self.port is not None and not 1 <= self.port <= _MAX_PORT:
            raise SettingsError(f"port is {self.port}; it must be 1 to {_MAX_PORT}")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables of a worker; an empty one counts as not set. Raises `SettingsError`."""
        read, default = _Reader(environment), cls()
        engine = read.choice("SPADE_ENGINE", default.engine)
        return cls(
            engine=engine,
            torchserve=_read_torchserve(read) if engine is EngineKind.TORCHSERVE else None,
            device=read.text("SPADE_DEVICE", default.device),
            models=read.words("SPADE_WORKER_MODELS"),
            batch_items=read.integer("SPADE_BATCH_ITEMS", default.batch_items),
            batch_pixels=read.integer("SPADE_BATCH_PIXELS", default.batch_pixels),
            threads=read.integer("SPADE_THREADS", default.threads),
            precision=read.choice("SPADE_PRECISION", default.precision),
            compile=read.flag("SPADE_COMPILE", default.compile),
            cache_bytes=read.integer("SPADE_CACHE_BYTES", default.cache_bytes),
            port=read.integer("SPADE_WORKER_PORT", 0) or None,
            host=read.text("SPADE_WORKER_HOST", default.host),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """What stands around the API. Raises `SettingsError`."""

    trusted_proxies: int = 0  # in front of the API, whose X-Forwarded-For, -Proto and -Host are believed
    cors_origins: tuple[str, ...] = ()  # of web sites whose pages may use the API

    def __post_init__(self) -> None:
        _check_least("trusted_proxies", self.trusted_proxies, 0)
        for origin in self.cors_origins:
            if not _ORIGIN.fullmatch(origin):
                raise SettingsError(f"the origin is {origin!r}; it must be like https://example.org, without a path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the API and the workers are told from outside. Raises `SettingsError`."""

    redis_url: str = field(repr=False)  # may carry a password
    storage: StorageSettings
    queue: QueueSettings = QueueSettings()
    worker: WorkerSettings = WorkerSettings()
    http: HttpSettings = HttpSettings()
    log_level: str = "info"
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    prometheus_url: str | None = None  # asked for charts of the last hour
    traces: TraceSettings = field(default_factory=TraceSettings)
    models_dir: Path | None = None
    max_items_per_job: int = 1000
    max_bulk_items: int = 50_000
    max_request_bytes: int = 256 * 2**20

    def __post_init__(self) -> None:
        _check_least("max_items_per_job", self.max_items_per_job, 1)
        _check_least("max_bulk_items", self.max_bulk_items, 1)
        _check_least("max_request_bytes", self.max_request_bytes, 1)
        if self.prometheus_url is not None and not URL.fullmatch(self.prometheus_url):
            raise SettingsError(
                f"SPADE_PROMETHEUS_URL is {without_user(self.prometheus_url)!r}; "
                "it must be like http://prometheus:9090, without a user"
            )
        if self.log_level not in LEVELS:
            raise SettingsError(f"log_level is {self.log_level!r}; it must be one of {', '.join(LEVELS)}")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the `SPADE_*` variables; an empty one counts as not set. Raises `SettingsError`."""
        read = _Reader(environment)
        models_dir = read.text("SPADE_MODELS_DIR", "")
        needed = cls(redis_url=read.required("SPADE_REDIS_URL"), storage=StorageSettings.from_environment(environment))
        return dataclasses.replace(
            needed,
            queue=_read_queue(read),
            worker=WorkerSettings.from_environment(environment),
            http=HttpSettings(
                trusted_proxies=read.integer("SPADE_TRUSTED_PROXIES", needed.http.trusted_proxies),
                cors_origins=read.words("SPADE_CORS_ORIGINS"),
            ),
            webhooks=_read_webhooks(read),
            prometheus_url=read.text("SPADE_PROMETHEUS_URL", "") or None,
            traces=TraceSettings(
                endpoint=read.text("SPADE_TRACES_ENDPOINT", needed.traces.endpoint),
                ratio=read.number("SPADE_TRACES_RATIO", needed.traces.ratio),
            ),
            models_dir=Path(models_dir) if models_dir else None,
            max_items_per_job=read.integer("SPADE_MAX_ITEMS_PER_JOB", needed.max_items_per_job),
            log_level=read.text("SPADE_LOG_LEVEL", needed.log_level).lower(),
            max_bulk_items=read.integer("SPADE_MAX_BULK_ITEMS", needed.max_bulk_items),
            max_request_bytes=read.integer("SPADE_MAX_REQUEST_BYTES", needed.max_request_bytes),
        )


def _read_queue(read: "_Reader") -> QueueSettings:
    default = QueueSettings()
    return QueueSettings(
        lease_seconds=read.number("SPADE_LEASE_SECONDS", default.lease_seconds),
        retention_seconds=read.number("SPADE_RETENTION_SECONDS", default.retention_seconds),
        max_open_items=read.integer("SPADE_MAX_OPEN_ITEMS", default.max_open_items),
        max_owner_items=read.integer("SPADE_MAX_OWNER_ITEMS", default.max_owner_items),
    )


def _read_torchserve(read: "_Reader") -> TorchServeSettings:
    return TorchServeSettings(
        url=read.required("SPADE_TORCHSERVE_URL"),
        key_file=Path(read.required("SPADE_TORCHSERVE_KEY_FILE")),
        timeout_seconds=read.number("SPADE_TORCHSERVE_TIMEOUT_SECONDS", DEFAULT_TIMEOUT_SECONDS),
    )


def _read_webhooks(read: "_Reader") -> WebhookSettings:
    default = WebhookSettings()
    return WebhookSettings(
        secrets=tuple(read.text("SPADE_WEBHOOK_SECRET", "").split()),
        allow=read.words("SPADE_WEBHOOK_ALLOW"),
        timeout_seconds=read.number("SPADE_WEBHOOK_TIMEOUT_SECONDS", default.timeout_seconds),
        max_attempts=read.integer("SPADE_WEBHOOK_MAX_ATTEMPTS", default.max_attempts),
        first_retry_seconds=read.number("SPADE_WEBHOOK_FIRST_RETRY_SECONDS", default.first_retry_seconds),
        public_url=read.text("SPADE_PUBLIC_URL", default.public_url),
    )


class _Reader:
    """Variables by name, as text or as what is expected of them. Raises `SettingsError` that names the variable."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str) -> str:
        return self._environment.get(name) or default

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(filter(None, (word.strip() for word in self.text(name, "").split(","))))

    def required(self, name: str) -> str:
        value = self._environment.get(name)
        if not value:
            raise SettingsError(f"the environment variable {name} is not set; the service needs it")
        return value

    def number(self, name: str, default: float) -> float:
        text = self.text(name, "")
        try:
            return float(text) if text else default
        except ValueError as error:
            raise SettingsError(f"{name} is {text!r}; it must be a number") from error

    def integer(self, name: str, default: int) -> int:
        text = self.text(name, "")
        try:
            return int(text) if text else default
        except ValueError as error:
            raise SettingsError(f"{name} is {text!r}; it must be a whole number") from error

    def choice(self, name: str, default: Choice) -> Choice:
        choices = type(default)
        text = self.text(name, default)
        if text not in list(choices):
            raise SettingsError(f"{name} is {text!r}; it must be one of {', '.join(choices)}")
        return choices(text)

    def flag(self, name: str, default: bool) -> bool:
        text = self.text(name, str(default)).lower()
        if text not in ("true", "false", "1", "0"):
            raise SettingsError(f"{name} is {text!r}; it must be true or false")
        return text in ("true", "1")
