"""The object store: label maps, job descriptions and pictures in one S3 bucket, through the `minio` SDK."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Final, Literal

import urllib3
from minio import Minio
from minio.datatypes import Object
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from workers.errors import ObjectMissingError, StorageUnavailableError
from workers.settings import StorageSettings

_MISSING: Final = ("NoSuchKey", "NoSuchObject")
"""A missing bucket is not among them: then the store is not as it should be, and no object can be said to be gone."""
_LISTED_AT_ONCE: Final = 1000
_TIMEOUT: Final = urllib3.Timeout(connect=2.0, read=20.0)
_RETRIES: Final = urllib3.Retry(4, backoff_factor=0.05, status_forcelist=(500, 502, 503, 504), raise_on_status=False)
"""Every request may be repeated: objects are written whole. rclone answers 500 now and then to parallel puts."""


StorageObserver = Callable[[str, str, float], None]
"""Is told of every call to the object store: the operation, its outcome (`ok`, `missing`, `error`), its seconds."""


def unobserved(operation: str, outcome: str, seconds: float) -> None:
    """The observer of programs that have no metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object as a listing tells of it."""

    key: str
    size_bytes: int
    modified_seconds: float  # Unix time, by the store's clock


class ObjectStore:
    """A bucket. Every method raises `StorageUnavailableError` when the store is away or refuses.

    `observe` is told of every call.
    """

    def __init__(self, settings: StorageSettings, *, observe: StorageObserver = unobserved) -> None:
        self._observe = observe
        self._bucket = settings.bucket
        self._client = _client(settings, settings.endpoint)
        # Signing needs no connection, so clients may be given an address that only they can reach.
        self._signer = _client(settings, settings.public_endpoint or settings.endpoint)

    def ping(self) -> None:
        """Raise unless the store answers and the bucket exists."""
        with self._call("ping", self._bucket):
            if not self._client.bucket_exists(self._bucket):
                raise StorageUnavailableError(f"the object store has no bucket {self._bucket!r}")

    def make_bucket(self) -> bool:
        """Make the bucket, unless it exists; whether it was made."""
        with self._call("make", self._bucket):
            if self._client.bucket_exists(self._bucket):
                return False
            self._client.make_bucket(self._bucket)
            return True

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Store an object whole; readers see it only once it is complete."""
        with self._call("put", key):
            self._client.put_object(self._bucket, key, io.BytesIO(data), len(data), content_type=content_type)

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises `ObjectMissingError`."""
        with self._call("get", key):
            response = self._client.get_object(self._bucket, key)
            try:
                return response.read()
            finally:
                response.close()
                response.release_conn()

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            with self._call("stat", key):
                self._client.stat_object(self._bucket, key)
        except ObjectMissingError:
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        with self._call("delete", key):
            self._client.remove_object(self._bucket, key)

    def delete_prefix(self, prefix: str) -> None:
        """Remove every object whose key starts with `prefix`; one that cannot be keeps none of the others."""
        with self._call("delete", prefix):
            doomed = (DeleteObject(key) for key in self.keys(prefix))
            kept = list(self._client.remove_objects(self._bucket, doomed))
            if kept:
                raise StorageUnavailableError(
                    f"the object store kept {len(kept)} objects, first {kept[0].name!r}: {kept[0].message}"
                )

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that start with `prefix`, in order, a page at a time."""
        return (entry.key for entry in self.objects(prefix))

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Objects whose keys start with `prefix`, in order, a page at a time."""
        entries = self._client.list_objects(self._bucket, prefix=prefix, recursive=True)
        page: list[Object] | None = None
        while page is None or len(page) == _LISTED_AT_ONCE:
            page = self._page(entries, prefix)
            for entry in page:
                if entry.object_name is not None:
                    modified = entry.last_modified.timestamp() if entry.last_modified else 0.0
                    yield StoredObject(key=entry.object_name, size_bytes=entry.size or 0, modified_seconds=modified)

    def _page(self, entries: Iterator[Object], prefix: str) -> list[Object]:
        """What one request lists: the SDK asks for more only when it has given out all of it."""
        with self._call("list", prefix):
            return list(islice(entries, _LISTED_AT_ONCE))

    def presigned_get(
        self, key: str, *, seconds: int, content_type: str, file_name: str, method: Literal["GET", "HEAD"] = "GET"
    ) -> str:
        """A URL that anyone may read the object from for `seconds`, by this method alone."""
        with _translated_errors("sign", key):
            return self._signer.get_presigned_url(
                method,
                self._bucket,
                key,
                expires=timedelta(seconds=seconds),
                response_headers={
                    "response-content-type": content_type,
                    "response-content-disposition": f'inline; filename="{file_name}"',
                },
            )

    @contextmanager
    def _call(self, operation: str, key: str) -> Iterator[None]:
        """A call of the SDK, with its errors as ours, observed."""
        started, outcome = time.perf_counter(), "error"
        try:
            with _translated_errors(operation, key):
                yield
            outcome = "ok"
        except ObjectMissingError:
            outcome = "missing"
            raise
        finally:
            self._observe(operation, outcome, time.perf_counter() - started)


def _client(settings: StorageSettings, endpoint: str) -> Minio:
    return Minio(
        endpoint,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        secure=settings.secure,
        region=settings.region,  # given, so that the SDK need not ask for it
        http_client=urllib3.PoolManager(timeout=_TIMEOUT, maxsize=16, retries=_RETRIES),
    )


@contextmanager
def _translated_errors(operation: str, key: str) -> Iterator[None]:
    """The SDK's errors as ours, with what was asked. Those of rclone are labelled so that it raises another class."""
    try:
        yield
    except S3Error as error:
        if error.code in _MISSING:
            raise ObjectMissingError(key) from error
        refused = f"the object store refused to {operation} {key!r}"
        raise StorageUnavailableError(f"{refused}: {error.code}: {error.message}") from error
    except InvalidResponseError as error:
        if any(f"<Code>{code}</Code>" in str(error) for code in _MISSING):
            raise ObjectMissingError(key) from error
        raise StorageUnavailableError(f"the object store failed to {operation} {key!r}: {error}") from error
    except (ServerError, MinioException, urllib3.exceptions.HTTPError, OSError) as error:
        asked = f"the object store does not answer when asked to {operation} {key!r}"
        raise StorageUnavailableError(f"{asked}: {type(error).__name__}: {error}") from error
