"""A real TorchServe with two models: `landscape`, and `reader`, small, which reads instance maps and styles."""

from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest

from deploy.local.child import Child
from deploy.torchserve.management import TorchServeManagement
from deploy.torchserve.server import TorchServe, TorchServePorts
from model_store.card import ModelCard
from model_store.registry import Registry
from model_store.torchserve.archive import write_archive
from model_store.torchserve.config import ArchiveConfig, BackendConfig
from model_store.torchserve.wire import CONTENT_TYPE
from support.models import add_small_model
from workers.engine import LocalEngine
from workers.settings import WorkerSettings
from workers.torchserve_engine import TorchServeEngine
from workers.torchserve_keys import TorchServeKey
from workers.torchserve_settings import TorchServeSettings

PATIENT = ArchiveConfig(batch_delay_ms=1000, backend=BackendConfig(device="cpu", threads=2))
"""So that requests that are sent together are one batch, however busy the machine is."""
QUICK = ArchiveConfig(batch_delay_ms=1, backend=BackendConfig(device="cpu", threads=2))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    models_dir = tmp_path_factory.mktemp("archived")
    add_small_model(models_dir, "reader")
    return Registry(models_dir)


@pytest.fixture(scope="session")
def landscape(registry: Registry) -> ModelCard:
    return registry.card("landscape")


@pytest.fixture(scope="session")
def reader_card(registry: Registry) -> ModelCard:
    return registry.card("reader")


@pytest.fixture(scope="session")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    folder = tmp_path_factory.mktemp("ts")
    with Child(TorchServe(folder=folder, ports=TorchServePorts.free()), log=folder / "torchserve.log") as child:
        yield child


@pytest.fixture(scope="session")
def server(child: Child, registry: Registry) -> TorchServe:
    """With both models."""
    assert isinstance(child.program, TorchServe)
    for name, config in (("landscape", PATIENT), ("reader", QUICK)):
        register(child.program, registry, registry.card(name), config)
    return child.program


def register(server: TorchServe, registry: Registry, card: ModelCard, config: ArchiveConfig) -> None:
    archive = write_archive(registry, card, server.archives, config)
    with TorchServeManagement(server.management_url, server.key_file) as management:
        management.register(card.reference, archive.name, seconds=120)


@pytest.fixture
def register_reader(server: TorchServe, registry: Registry, reader_card: ModelCard) -> Callable[[], None]:
    return lambda: register(server, registry, reader_card, QUICK)


@pytest.fixture
def management(server: TorchServe) -> Iterator[TorchServeManagement]:
    with TorchServeManagement(server.management_url, server.key_file) as management:
        yield management


@pytest.fixture
def engine(server: TorchServe) -> Iterator[TorchServeEngine]:
    settings = TorchServeSettings(url=server.url, key_file=server.key_file)
    with closing(TorchServeEngine(settings, at_once=8)) as engine:
        yield engine


@pytest.fixture(scope="session")
def local(registry: Registry) -> LocalEngine:
    return LocalEngine(registry, WorkerSettings(device="cpu", threads=2))


@pytest.fixture
def predict(server: TorchServe) -> Callable[[ModelCard, bytes], httpx.Response]:
    """One request as it is, without the engine around it."""
    key = TorchServeKey(server.key_file, "inference")

    def predict(card: ModelCard, body: bytes) -> httpx.Response:
        headers = {"Authorization": key.header(), "Content-Type": CONTENT_TYPE}
        url = f"{server.url}/predictions/{card.reference}"
        return httpx.post(url, content=body, headers=headers, timeout=60, trust_env=False)

    return predict
