"""A dataset in the object store, brought to a node's disk."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Final

from spade.data.errors import DatasetError
from spade.errors import ConfigError
from spade.files import written_whole
from spade.training.checkpoint_store import S3_SCHEME
from workers.errors import ObjectMissingError
from workers.settings import StorageSettings
from workers.storage import ObjectStore, StoredObject

_AT_ONCE: Final = 16


def fetch_dataset(url: str, folder: Path, storage: StorageSettings) -> int:
    """Brings all files below `s3://bucket/prefix` into `folder`; returns how many had to be fetched.

    Those of the right size that are there already stay. A file has its name only when it is whole.

    Raises ConfigError: where the URL is none. DatasetError: where there is nothing, a name would lead out of the
    folder, or the files change meanwhile. StorageUnavailableError: where the store is away.
    """
    bucket, _, prefix = url.removeprefix(S3_SCHEME).partition("/")
    if not url.startswith(S3_SCHEME) or not bucket or not prefix.strip("/"):
        raise ConfigError(f"dataset {url!r}: write {S3_SCHEME}bucket/prefix")
    prefix = f"{prefix.strip('/')}/"
    objects = ObjectStore(dataclasses.replace(storage, bucket=bucket))
    stored = [entry for entry in objects.objects(prefix) if not entry.key.endswith("/")]
    if not stored:
        raise DatasetError(f"{url}: there is nothing; upload the dataset's folders there")
    places = {entry: folder / _name_below(prefix, entry) for entry in stored}
    missing = [entry for entry, path in places.items() if not path.exists() or path.stat().st_size != entry.size_bytes]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dataset") as pool:
        try:
            for done in [pool.submit(_fetch, objects, entry, places[entry]) for entry in missing]:
                done.result()
        except BaseException:  # a signal that ends the program too
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return len(missing)


def _name_below(prefix: str, entry: StoredObject) -> str:
    name = entry.key.removeprefix(prefix)
    if ".." in PurePosixPath(name).parts or name.startswith("/"):
        raise DatasetError(f"{entry.key}: this name leads out of the dataset's folder; rename it")
    return name


def _fetch(objects: ObjectStore, entry: StoredObject, path: Path) -> None:
    try:
        data = objects.get(entry.key)
    except ObjectMissingError as error:
        raise DatasetError(f"{entry.key}: was removed while the dataset was fetched") from error
    if len(data) != entry.size_bytes:
        raise DatasetError(f"{entry.key}: has {len(data)} bytes, but was listed with {entry.size_bytes}")
    with written_whole(path, durable=False) as partial:
        partial.write_bytes(data)
