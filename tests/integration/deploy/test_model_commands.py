"""`spade-serve models`: versions in a models folder and in the object store."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from model_store.registry import Registry
from support.models import add_small_model
from workers.storage import ObjectStore

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A models folder with `small` in versions 1 and 2."""
    folder = tmp_path / "here"
    for version in ("1", "2"):
        add_small_model(folder, "small", version)
    return folder


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The models folder of another machine."""
    return tmp_path / "there"


def test_a_version_is_pushed_and_pulled(run: Run, here: Path, there: Path) -> None:
    for said in ("small@2 is in the store\n", "small@2 is in the store already\n"):
        assert run("models", "push", "small", SPADE_MODELS_DIR=str(here)).stdout == said
    for said in ("small@2 is added\n", "small@2 is there already\n"):
        assert run("models", "pull", "small@latest", SPADE_MODELS_DIR=str(there)).stdout == said
    assert Registry(there).resolve("small") == Registry(here).resolve("small@2")
    run("models", "push", "small@1", SPADE_MODELS_DIR=str(here))
    assert run("models", "pull", "--all", SPADE_MODELS_DIR=str(there)).stdout.splitlines() == [
        "small@1 is added",
        "small@2 is there already",
    ]
    verified = run("models", "verify", SPADE_MODELS_DIR=str(there))
    assert "small@1: as its card says\nsmall@2: as its card says\n" in verified.stdout
    assert "landscape@1: weights not drawn yet" in verified.stdout


def test_what_was_damaged_on_its_way_is_refused_and_leaves_nothing(
    run: Run, here: Path, there: Path, objects: ObjectStore
) -> None:
    run("models", "push", "small@1", SPADE_MODELS_DIR=str(here))
    objects.put("models/small/1/encoder.safetensors", b"other")
    damaged = run("models", "pull", "small", SPADE_MODELS_DIR=str(there))
    assert damaged.returncode == 1
    assert "has sha256" in damaged.stderr
    assert not (there / "small" / "1" / "card.json").exists()
    objects.delete("models/small/1/encoder.safetensors")
    assert "the store lacks" in run("models", "pull", "small", SPADE_MODELS_DIR=str(there)).stderr
    assert "the store has no model 'big'; it has: small@1" in run("models", "pull", "big").stderr
    assert run("models", "push", "small@1", SPADE_MODELS_DIR=str(here)).stdout == "small@1 is in the store\n"
    assert run("models", "pull", "small", SPADE_MODELS_DIR=str(there)).returncode == 0


def test_a_damaged_card_in_the_store_is_one_line(run: Run, there: Path, objects: ObjectStore) -> None:
    objects.put("models/small/1/card.json", b"\xff{")
    pulled = run("models", "pull", "small", SPADE_MODELS_DIR=str(there))
    assert pulled.returncode == 1
    assert pulled.stderr.startswith("Error: models/small/1/card.json: not JSON")
    assert len(pulled.stderr.splitlines()) == 1


def test_another_model_of_the_same_version_replaces_nothing(run: Run, here: Path, there: Path) -> None:
    add_small_model(there, "small", "1", hidden_channels=4)
    run("models", "push", "small@1", SPADE_MODELS_DIR=str(here))
    pulled = run("models", "pull", "small@1", SPADE_MODELS_DIR=str(there))
    assert "there is another model of that name and version; remove it first" in pulled.stderr
    pushed = run("models", "push", "small@1", SPADE_MODELS_DIR=str(there))
    assert "the store has another model of that name and version" in pushed.stderr
    assert (pulled.returncode, pushed.returncode) == (1, 1)


def test_a_folder_is_added_shown_and_removed(run: Run, here: Path, there: Path) -> None:
    environment = {"SPADE_MODELS_DIR": str(there)}
    assert run("models", "add", str(here / "small" / "1"), **environment).stdout == "small@1 is added\n"
    assert "small@1, untrained" in run("models", "show", "small", **environment).stdout
    assert "there is such a model already" in run("models", "add", str(here / "small" / "1"), **environment).stderr
    assert run("models", "remove", "small", **environment).returncode == 2
    assert run("models", "remove", "small@1", **environment).stdout == "small@1 is removed\n"
    assert list(there.iterdir()) == []
    assert "ships with the program" in run("models", "remove", "landscape@1", **environment).stderr


@pytest.mark.parametrize("file", ["model.safetensors", "encoder.safetensors", "card.json"])
def test_tampered_files_are_refused(run: Run, here: Path, there: Path, file: str) -> None:
    path = here / "small" / "2" / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    environment = {"SPADE_MODELS_DIR": str(here)}
    for command in (("verify", "small@2"), ("push", "small@2")):
        assert run("models", *command, **environment).returncode == 1
    assert run("models", "add", str(here / "small" / "2"), SPADE_MODELS_DIR=str(there)).returncode == 1
    assert not there.exists() or list(there.rglob("*.safetensors")) == []
