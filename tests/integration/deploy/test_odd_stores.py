"""`spade-serve models pull` where names or the object store are not as they should be."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.models import add_small_model
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
