"""Checkpoints in an S3 bucket.

The one module of the model that knows the minio SDK: it is imported only for checkpoints at `s3://`, because the
command that trains starts below the packages that serve.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

from spade.errors import CheckpointError, ConfigError
from spade.training.checkpoint_store import S3_SCHEME

if TYPE_CHECKING:
    from minio import Minio

_ENDPOINT, _ACCESS_KEY, _SECRET_KEY = "SPADE_S3_ENDPOINT", "SPADE_S3_ACCESS_KEY", "SPADE_S3_SECRET_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """How to reach the store."""

    endpoint: str
    """host:port"""
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    secure: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Reads the variables that the service reads too. Raises ConfigError: naming one that is missing."""
        for name in (_ENDPOINT, _ACCESS_KEY, _SECRET_KEY):
            if not environment.get(name):
                raise ConfigError(f"checkpoints at {S3_SCHEME} need the environment variable {name}, which is not set")
        return cls(
            endpoint=environment[_ENDPOINT],
            access_key=environment[_ACCESS_KEY],
            secret_key=environment[_SECRET_KEY],
            region=environment.get("SPADE_S3_REGION", "us-east-1"),
            secure=environment.get("SPADE_S3_SECURE", "false").lower() in ("true", "1"),
        )


class S3Checkpoints:
    """Objects under a prefix of a bucket; an object is there whole or not at all."""

    def __init__(self, url: str, settings: S3Settings) -> None:
        if find_spec("minio") is None:
            raise ConfigError(f"checkpoints at {S3_SCHEME} need the package minio: install the extra [train]")
        bucket, _, prefix = url.removeprefix(S3_SCHEME).partition("/")
        if not bucket:
            raise ConfigError(f"{url}: write {S3_SCHEME}bucket/prefix")
        self._endpoint = settings.endpoint
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        try:
            self._client = self._connected(settings)
        except ValueError as error:
            raise ConfigError(f"{_ENDPOINT} is {settings.endpoint!r}: {error}; write host:port") from error

    @staticmethod
    def _connected(settings: S3Settings) -> "Minio":
        import urllib3
        from minio import Minio

        return Minio(
            settings.endpoint,
            access_key=settings.access_key,
            secret_key=settings.secret_key,
            secure=settings.secure,
            region=settings.region,
            http_client=urllib3.PoolManager(
                timeout=urllib3.Timeout(connect=5.0, read=120.0),
                # A run of days outlives a restart of the store.
                retries=urllib3.Retry(
                    6, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504), allowed_methods=None
                ),
            ),
        )

    def names(self) -> list[str]:
        with self._translated_errors("list"):
            listed = self._client.list_objects(self._bucket, prefix=self._prefix)
            names = [(entry.object_name or "").removeprefix(self._prefix) for entry in listed]
        return sorted(name for name in names if name and not name.endswith("/"))

    def place(self, name: str) -> str:
        return f"{S3_SCHEME}{self._bucket}/{self._prefix}{name}"

    def write(self, name: str, produce: Callable[[Path], None]) -> None:
        with tempfile.TemporaryDirectory() as folder, self._translated_errors("write", name):
            path = Path(folder) / name
            produce(path)
            self._client.fput_object(self._bucket, self._prefix + name, str(path))

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            with self._translated_errors("read", name):
                self._client.fget_object(self._bucket, self._prefix + name, str(path))
            yield path

    def remove(self, name: str) -> None:
        with self._translated_errors("remove", name):
            self._client.remove_object(self._bucket, self._prefix + name)

    @contextmanager
    def _translated_errors(self, act: str, name: str = "") -> Iterator[None]:
        from minio.error import MinioException
        from urllib3.exceptions import HTTPError, MaxRetryError

        try:
            yield
        except MaxRetryError as error:
            reason = str(error.reason).rsplit(": ", 1)[-1]  # after what it says of its own connections
            raise CheckpointError(
                f"{self.place(name)}: cannot {act}: no answer from {self._endpoint}: {reason}"
            ) from error
        except (MinioException, HTTPError, OSError, ValueError) as error:  # the last of names that no bucket can have
            raise CheckpointError(f"{self.place(name)}: cannot {act}: {_reason(error)}") from error


_ANSWERS = {"403": "the store refuses these credentials", "404": "there is no such bucket, or nothing of that name"}
"""What a status means where a store says no more; not every one answers in the form that the SDK reads."""


def _reason(error: Exception) -> str:
    status = re.search(r"Response code: (\d+)", str(error))
    if status is not None:
        return _ANSWERS.get(status[1], f"the store answers with status {status[1]}")
    message = getattr(error, "message", None) or getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {message}".splitlines()[0]
