"""`spade-serve models`: versions in a models folder and in the object store."""

import base64
import dataclasses
import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from deploy.cli import main
from deploy.local.child import Child
from deploy.local.services import ApiServer
from model_store.card import StylePreset
from model_store.registry import Registry
from model_store.versions import read_card, write_card
from support.models import add_small_model
from support.programs import SPADE_SERVE
from support.waiting import wait_until
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
    assert "coco-stuff@1: weights not drawn yet" in verified.stdout


def test_cards_alone_are_pulled_for_an_api_and_weights_later(run: Run, here: Path, there: Path) -> None:
    run("models", "push", "small", SPADE_MODELS_DIR=str(here))
    for said in ("small@2 is added\n", "small@2 is there already\n"):
        assert run("models", "pull", "--all", "--cards", SPADE_MODELS_DIR=str(there)).stdout == said
    assert [path.name for path in (there / "small" / "2").iterdir()] == ["card.json"]
    assert run("models", "pull", "small", SPADE_MODELS_DIR=str(there)).stdout == "small@2 is added\n"
    assert run("models", "pull", "small", "--cards", SPADE_MODELS_DIR=str(there)).stdout == "small@2 is there already\n"
    assert "small@2: as its card says" in run("models", "verify", "small", SPADE_MODELS_DIR=str(there)).stdout


def test_a_version_that_ships_with_the_program_is_not_pulled(run: Run, there: Path) -> None:
    assert run("models", "push", "landscape", SPADE_MODELS_DIR=str(there)).stdout == "landscape@1 is in the store\n"
    assert run("models", "pull", "landscape", SPADE_MODELS_DIR=str(there)).stdout == "landscape@1 is there already\n"


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


def test_a_damaged_card_in_the_folder_stops_no_command_but_those_of_its_model(
    start: Callable[..., Child], here: Path
) -> None:
    (here / "small" / "2" / "card.json").write_text("{")
    told = "model small@2 cannot be used: card.json: not JSON"
    program = start(SPADE_MODELS_DIR=str(here)).program
    assert isinstance(program, ApiServer)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["models", *arguments], env={"SPADE_MODELS_DIR": str(here)})

    listed = run("list", "--url", program.url)
    assert ("small@1" in listed.stdout, listed.exit_code) == (True, 0)
    assert listed.stderr.startswith(f"Warning: {told}")
    shown = run("show", "landscape")
    assert (shown.exit_code, shown.stderr.count(told), str(here / "small" / "2") in shown.stderr) == (0, 1, True)
    refused = run("show", "small@2")
    assert (refused.exit_code, refused.stderr.startswith(f"Error: {told}")) == (1, True)
    verified = run("verify")
    assert ("small@1: as its card says" in verified.stdout, verified.exit_code) == (True, 1)
    assert f"Error: {told}" in verified.stderr
    assert "there is such a model already" in run("add", str(here / "small" / "1")).stderr
    assert run("remove", "small@2").stdout == "small@2 is removed\n"
    assert run("show", "landscape").stderr == ""


def test_a_damaged_card_in_the_store_is_one_line(run: Run, there: Path, objects: ObjectStore) -> None:
    objects.put("models/small/1/card.json", b"\xff{")
    pulled = run("models", "pull", "small", SPADE_MODELS_DIR=str(there))
    assert pulled.returncode == 1
    assert pulled.stderr.startswith("Error: models/small/1/card.json: not JSON")
    assert "delete models/small/1/card.json from the object store, and push the version again" in pulled.stderr
    assert len(pulled.stderr.splitlines()) == 1


def test_what_cannot_be_used_in_the_store_is_told_and_keeps_nobody_from_the_rest(
    run: Run, here: Path, there: Path, objects: ObjectStore
) -> None:
    add_small_model(here, "other", "1")
    for reference in ("small@1", "small@2", "other@1"):
        run("models", "push", reference, SPADE_MODELS_DIR=str(here))
    objects.put("models/other/1/card.json", b"\xff{")
    objects.put("models/small/1/encoder.safetensors", b"other")
    pulled = run("models", "pull", "--all", SPADE_MODELS_DIR=str(there))
    assert (pulled.stdout, pulled.returncode) == ("small@2 is added\n", 0)
    card, weights = pulled.stderr.splitlines()
    assert card.startswith("Warning: left out: models/other/1/card.json: not JSON")
    assert card.endswith("delete models/other/1/card.json from the object store, and push the version again")
    assert weights.startswith("Warning: left out: model small@1: ")
    assert weights.endswith(
        "delete models/small/1/encoder.safetensors from the object store, and push the version again"
    )
    assert [card.reference for card in Registry(there, built_in=None).cards()] == ["small@2"]
    assert run("models", "pull", "small@2", SPADE_MODELS_DIR=str(there)).stdout == "small@2 is there already\n"
    assert "no model 'big'; it has: small@1, small@2" in run("models", "pull", "big").stderr


def test_a_store_that_is_away_is_an_error_of_pulling_all(run: Run, there: Path) -> None:
    pulled = run("models", "pull", "--all", SPADE_MODELS_DIR=str(there), SPADE_S3_BUCKET="nobody-made-it")
    assert (pulled.returncode, pulled.stdout) == (1, "")
    assert pulled.stderr == "Error: the object store has no bucket 'nobody-made-it'\n"


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
    for unclear in ("small", "small@", "small@latest"):
        assert "say which version: small@VERSION" in run("models", "remove", unclear, **environment).stderr
    assert "small@../small is not in" in run("models", "remove", "small@../small", **environment).stderr
    assert run("models", "remove", "small@1", **environment).stdout == "small@1 is removed\n"
    assert not (there / "small").exists()
    assert "ships with the program" in run("models", "remove", "landscape@1", **environment).stderr


def test_a_version_with_a_broken_card_can_be_removed(run: Run, here: Path) -> None:
    (here / "small" / "2" / "card.json").write_text("[" * 200_000)
    environment = {"SPADE_MODELS_DIR": str(here)}
    refused = run("models", "verify", "small@2", **environment)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert run("models", "verify", **environment).returncode == 1
    assert run("models", "remove", "small@2", **environment).returncode == 0
    assert run("models", "verify", "small@1", **environment).returncode == 0


def test_of_a_linked_version_only_the_link_is_removed(run: Run, here: Path, there: Path) -> None:
    (there / "small").mkdir(parents=True)
    (there / "small" / "2").symlink_to(here / "small" / "2")
    assert run("models", "remove", "small@2", SPADE_MODELS_DIR=str(there)).returncode == 0
    assert not (there / "small").exists()
    assert (here / "small" / "2" / "card.json").exists()


def test_a_card_that_was_changed_is_refused_until_it_is_sealed(run: Run, here: Path) -> None:
    path = here / "small" / "2" / "card.json"
    path.write_text(path.read_text().replace('"licence": "', '"licence": "not '))
    environment = {"SPADE_MODELS_DIR": str(here)}
    refused = run("models", "verify", "small@2", **environment)
    assert refused.returncode == 1
    assert "was changed after it was written" in refused.stderr
    assert run("models", "seal", str(path.parent), **environment).stdout == "small@2 is sealed\n"
    assert run("models", "verify", "small@2", **environment).returncode == 0


def test_thumbnails_of_the_styles_travel_with_the_card(run: Run, here: Path, there: Path, tmp_path: Path) -> None:
    folder = here / "small" / "2"
    label_map = tmp_path / "map.png"
    Image.fromarray(np.repeat(np.arange(4, dtype=np.uint8), 16)[:, None].repeat(64, axis=1)).save(label_map)
    refused = run("models", "thumbnails", str(folder), "--label-map", str(label_map))
    assert (refused.returncode, refused.stderr) == (1, "Error: small@2: it has no styles to show\n")
    styles = (StylePreset(name="warm", seed=1), StylePreset(name="cold", latent=(1.0, -1.0, 0.5, 2.0)))
    write_card(folder, dataclasses.replace(read_card(folder / "card.json"), styles=styles))
    made = run("models", "thumbnails", str(folder), "--label-map", str(label_map))
    assert made.stdout == "small@2 shows its styles: warm, cold\n"
    warm, cold = (style.thumbnail for style in Registry(here).resolve("small@2").styles)
    assert warm is not None
    assert cold not in (None, warm)
    with Image.open(io.BytesIO(base64.b64decode(warm))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (64, 64))
    run("models", "push", "small@2", SPADE_MODELS_DIR=str(here))
    run("models", "pull", "small@2", SPADE_MODELS_DIR=str(there))
    assert Registry(there).resolve("small@2").styles == Registry(here).resolve("small@2").styles


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


def test_pulling_goes_on_until_it_is_stopped(
    run: Run, here: Path, there: Path, service_environment: dict[str, str], objects: ObjectStore
) -> None:
    objects.put("models/broken/1/card.json", b"{")  # told, and in nobody's way
    environment = {**service_environment, "SPADE_MODELS_DIR": str(there)}
    command = [SPADE_SERVE, "models", "pull", "--all", "--every", "1"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as pulling:
        assert pulling.stderr is not None
        assert pulling.stderr.readline().startswith("Warning: left out: models/broken/1/card.json: not JSON")
        run("models", "push", "small@1", SPADE_MODELS_DIR=str(here))
        wait_until((there / "small" / "1" / "card.json").exists, "the version is pulled")
        pulling.terminate()
        assert pulling.wait(10) == 0
    assert Registry(there).resolve("small") == Registry(here).resolve("small@1")
