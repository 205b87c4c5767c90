"""`spade-serve models pull` where names or the object store are not as they should be."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from model_store.registry import Registry
from support.fault_proxy import FaultProxy
from support.models import add_small_model
from workers.settings import StorageSettings
from workers.storage import ObjectStore

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def here(run: Run, tmp_path: Path) -> Path:
    """A models folder whose only model, `small@1`, is in the store."""
    folder = tmp_path / "here"
    add_small_model(folder, "small")
    assert run("models", "push", "small", SPADE_MODELS_DIR=str(folder)).returncode == 0
    return folder


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "reference",
    [
        "",
        "@",
        "@latest",
        "@1",
        ".@1",
        "../small@1",
        "small@../1",
        "small/@1",
        "/small@1",
        "\udcff@1",
        "Small",
        "small@01",
    ],
)
def test_a_name_that_no_model_can_have_is_refused_in_one_line(run: Run, tmp_path: Path, reference: str) -> None:
    pulled = run("models", "pull", reference, SPADE_MODELS_DIR=str(tmp_path / "there"))
    assert (pulled.returncode, pulled.stdout) == (1, "")
    assert pulled.stderr == (
        f"Error: {reference!r} names no model; write NAME, NAME@latest or NAME@VERSION, as in landscape@2\n"
    )
    assert not (tmp_path / "there").exists()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("place", ["small/5", "other/1", "small/1/more"])
def test_a_card_in_the_place_of_another_is_left_out(run: Run, tmp_path: Path, objects: ObjectStore, place: str) -> None:
    for key in list(objects.keys("models/small/1/")):
        objects.put(f"models/{place}/{key.rpartition('/')[2]}", objects.get(key))
    told = (
        f"models/{place}/card.json: it describes small@1, whose place is models/small/1/card.json; "
        f"delete models/{place}/card.json from the object store\n"
    )
    pulled = run("models", "pull", "--all", SPADE_MODELS_DIR=str(tmp_path / "there"))
    assert (pulled.stdout, pulled.stderr) == ("small@1 is added\n", f"Warning: left out: {told}")
    if place.count("/") == 1:
        refused = run("models", "pull", place.replace("/", "@"), SPADE_MODELS_DIR=str(tmp_path / "there"))
        assert (refused.returncode, refused.stderr) == (1, f"Error: {told}")


def test_what_stands_in_the_way_of_one_version_keeps_nobody_from_the_rest(run: Run, here: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "a").write_text("no folder")
    add_small_model(here, "a")
    run("models", "push", "a", SPADE_MODELS_DIR=str(here))
    pulled = run("models", "pull", "--all", SPADE_MODELS_DIR=str(there))
    assert (pulled.stdout, pulled.returncode) == ("small@1 is added\n", 1)
    warning, error = pulled.stderr.splitlines()
    assert warning.startswith("Warning: left out: ")
    assert str(there / "a") in warning
    assert error == "Error: 1 of the store's versions could not be brought; see the warnings, then pull again"


@pytest.mark.parametrize("file", ["card.json", "model.safetensors"])
def test_an_object_that_the_store_does_not_give_keeps_nobody_from_the_rest(
    run: Run, here: Path, tmp_path: Path, s3: StorageSettings, file: str
) -> None:
    add_small_model(here, "a")
    run("models", "push", "a", SPADE_MODELS_DIR=str(here))
    with FaultProxy(int(s3.endpoint.rpartition(":")[2])).serving() as proxy:
        proxy.unreadable = f"models/a/1/{file}".encode()
        environment = {"SPADE_MODELS_DIR": str(tmp_path / "there"), "SPADE_S3_ENDPOINT": proxy.endpoint}
        pulled = run("models", "pull", "--all", **environment)
        assert (pulled.stdout, pulled.returncode) == ("small@1 is added\n", 1)
        assert f"models/a/1/{file}" in pulled.stderr.splitlines()[0]
        proxy.unreadable = b""
        assert run("models", "pull", "--all", **environment).stdout == "a@1 is added\nsmall@1 is there already\n"


def test_a_file_that_was_cut_off_is_brought_again(run: Run, here: Path, tmp_path: Path) -> None:
    environment = {"SPADE_MODELS_DIR": str(tmp_path / "there")}
    run("models", "pull", "small", **environment)
    file = tmp_path / "there" / "small" / "1" / "encoder.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    assert run("models", "pull", "small", **environment).stdout == "small@1 is added\n"
    assert Registry(tmp_path / "there").encoder_path(Registry(here).resolve("small")) == file


def test_all_models_are_verified_whatever_is_wrong_with_the_first(run: Run, here: Path) -> None:
    for name in ("a", "b"):
        add_small_model(here, name)
        (here / name / "1" / "model.safetensors").write_bytes(b"damaged")
    (here / "small" / "2").mkdir()
    (here / "small" / "2" / "card.json").write_text("{")
    verified = run("models", "verify", SPADE_MODELS_DIR=str(here))
    assert "small@1: as its card says" in verified.stdout
    assert verified.returncode == 1
    told = [line for line in verified.stderr.splitlines() if line.startswith("Error: ")]
    assert [line.split(":")[1].removeprefix(" model ").split()[0] for line in told] == ["a@1", "b@1", "small@2"]
