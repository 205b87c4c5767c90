"""TorchServe's models follow those of the models folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.child import Child
from deploy.torchserve.keeper import ModelKeeper
from deploy.torchserve.management import TorchServeManagement
from deploy.torchserve.server import TorchServe, TorchServePorts
from model_store.registry import WEIGHTS_FILE, Registry
from model_store.torchserve.config import ArchiveConfig, BackendConfig
from model_store.versions import remove_version
from support.models import add_small_model


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """A TorchServe for one test alone."""
    server = TorchServe(folder=tmp_path / "ts", ports=TorchServePorts.free())
    with Child(server, log=tmp_path / "torchserve.log") as child:
        yield child


def test_versions_that_come_are_served_and_those_that_go_are_not(child: Child, tmp_path: Path) -> None:
    server = child.program
    assert isinstance(server, TorchServe)
    models_dir, told = tmp_path / "models", []
    with TorchServeManagement(server.management_url, server.key_file) as management:
        keeper = ModelKeeper(
            management,
            Registry(models_dir),
            archives=server.archives,
            config=ArchiveConfig(backend=BackendConfig(device="cpu")),
            report=told.append,
            names=["small", "spoilt"],
        )
        keeper.look()
        assert management.models() == []

        add_small_model(models_dir, "small")
        add_small_model(models_dir, "spoilt")
        (models_dir / "spoilt" / "1" / WEIGHTS_FILE).write_bytes(b"no weights")
        keeper.look()
        assert management.models() == ["small@1"]
        assert len(management.backend_pids("small@1")) == 1
        assert any("TorchServe serves small@1, after" in event for event in told)
        assert any("cannot serve spoilt@1: model spoilt@1" in event for event in told)

        told.clear()
        add_small_model(models_dir, "small", version="2")
        keeper.look()
        assert sorted(management.models()) == ["small@1", "small@2"]
        assert len(told) == 1, "the spoilt one is not tried at every look"

        remove_version(models_dir, "small", "1")
        keeper.look()
        assert management.models() == ["small@2"]
        assert told[-1] == "TorchServe serves small@1 no longer"

        child.kill()
        keeper.look()
        child.start()
        child.wait_ready()
        keeper.look()
        assert management.models() == ["small@2"]
    assert list(server.archives.iterdir()) == []


def test_a_model_that_its_backend_cannot_load_is_reported_and_not_registered(child: Child, tmp_path: Path) -> None:
    server = child.program
    assert isinstance(server, TorchServe)
    add_small_model(tmp_path / "models", "small")
    told: list[str] = []
    with TorchServeManagement(server.management_url, server.key_file) as management:
        keeper = ModelKeeper(
            management,
            Registry(tmp_path / "models"),
            archives=server.archives,
            config=ArchiveConfig(startup_seconds=20, backend=BackendConfig(device="abacus")),
            report=told.append,
            names=["small"],
        )
        keeper.look()
        assert "TorchServe cannot serve small@1: TorchServe refused POST /models" in told[0]
        assert management.models() == []
    assert "there is no device 'abacus'" in child.log.read_text()
