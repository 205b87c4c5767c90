"""The worker's loop, and an object store that tests may kill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.child import Child
from support.bench import Bench
from support.servers import new_s3_server, storage_of
from workers.redis_client import RedisClient
from workers.settings import StorageSettings
from workers.storage import ObjectStore


@pytest.fixture
def bench(redis_client: RedisClient, objects: ObjectStore) -> Bench:
    return Bench(redis_client, objects)


@pytest.fixture
def own_s3(tmp_path: Path) -> Iterator[tuple[Child, StorageSettings]]:
    """An object store for one test alone."""
    server = new_s3_server(tmp_path / "data")
    with Child(server, log=tmp_path / "s3.log") as child:
        yield child, storage_of(server)
