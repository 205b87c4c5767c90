"""Real servers for the tests: one Redis-protocol server and one S3 server for the whole run, emptied for each test.

What tests import from one another is in `tests/support`.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.servers import RedisServer, new_password
from support.servers import new_s3_server, storage_of
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.redis_client import RedisClient, connect
from workers.settings import QueueSettings, StorageSettings
from workers.storage import ObjectStore

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in workers.app; what tests start inherits it

pytest.register_assert_rewrite("support.label_maps", "support.problems", "support.refusals")


@pytest.fixture(scope="session", autouse=True)
def _children_unmeasured() -> None:
    """Coverage is of what runs in the process of the tests: programs that load torch take 40 % longer when measured."""
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("redis")
    server = RedisServer(folder=folder, port=free_port(), password=new_password())
    with Child(server, log=folder / "redis.log"):
        yield server.url


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageSettings]:
    """An S3 server with an empty bucket."""
    folder = tmp_path_factory.mktemp("s3")
    server = new_s3_server(folder / "data")
    with Child(server, log=folder / "s3.log"):
        yield storage_of(server)


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where weights are drawn, once for all tests that run a service; not kept, since they are large."""
    folder = tmp_path_factory.mktemp("models")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def service_environment(redis_url: str, s3: StorageSettings, models_dir: Path) -> dict[str, str]:
    """What a process of the service is told: the addresses of the tests' servers, and to compute on the CPU."""
    return {
        **os.environ,
        "SPADE_REDIS_URL": redis_url,
        "SPADE_S3_ENDPOINT": s3.endpoint,
        "SPADE_S3_ACCESS_KEY": s3.access_key,
        "SPADE_S3_SECRET_KEY": s3.secret_key,
        "SPADE_S3_BUCKET": s3.bucket,
        "SPADE_MODELS_DIR": str(models_dir),
        "SPADE_DEVICE": "cpu",
    }


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[RedisClient]:
    """A client of an empty Redis."""
    client = connect(redis_url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def objects(s3: StorageSettings) -> ObjectStore:
    """An empty object store."""
    store = ObjectStore(s3)
    store.delete_prefix("")
    return store


@pytest.fixture
def reader(redis_client: RedisClient) -> JobReader:
    return JobReader(redis_client)


@pytest.fixture
def job_store(redis_client: RedisClient) -> JobStore:
    return JobStore(redis_client, QueueSettings())
