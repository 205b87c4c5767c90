import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

from model_store.card import ModelCard
from model_store.cli import spade
from model_store.loading import ensure_weights, load_synthesizer
from model_store.registry import Registry

pytestmark = pytest.mark.usefixtures("registry")


@pytest.fixture
def label_map(tmp_path: Path) -> Path:
    """Class ids 0 to 2 and unknown, twice the size of the model."""
    ids = np.kron(np.array([[0, 1, 2, 255], [2, 2, 1, 0]]), np.ones((32, 32))).astype(np.uint8)
    Image.fromarray(ids).save(tmp_path / "map.png")
    return tmp_path / "map.png"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def run(tmp_path: Path, out: Path):
    def run(*arguments: object) -> Result:
        options = ["--models-dir", tmp_path / "models", "-o", out, "--device", "cpu"]
        return CliRunner().invoke(spade, ["synthesize", *map(str, (*options, *arguments))])

    return run


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture)


def refused(result: Result) -> str:
    """The one line of a command that ended with status 1."""
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_a_picture_is_what_the_model_makes_of_the_resized_map(
    run, out: Path, label_map: Path, registry: Registry, card: ModelCard
) -> None:
    result = run("tiny@1", label_map)
    assert result.exit_code == 0, result.output
    assert f"{out}/map.png  64x32  seed 0" in result.stdout
    assert "tiny@1 is untrained" in result.stdout
    ids = pixels(label_map)[::2, ::2]
    expected = load_synthesizer(registry, card, device="cpu").synthesize(np.where(ids == 255, 3, ids)[None], None, [0])
    assert np.array_equal(pixels(out / "map.png"), expected[0])


def test_a_weights_file_can_stand_for_a_model(
    run, out: Path, label_map: Path, registry: Registry, card: ModelCard
) -> None:
    run("tiny@1", label_map)
    of_the_registry = pixels(out / "map.png")
    result = run(ensure_weights(registry, card), label_map)
    assert result.exit_code == 0, result.output
    assert "untrained" not in result.stdout
    assert np.array_equal(pixels(out / "map.png"), of_the_registry)


def test_answers_for_programs_are_one_json_object(run, out: Path, label_map: Path, card: ModelCard) -> None:
    answer = json.loads(run("tiny@1", label_map, "--json", "--seed", 9, "--format", "webp", "--size", "96x64").stdout)
    assert (answer["model"], answer["training"], answer["sha256"]) == ("tiny@1", "untrained", card.weights.sha256)
    (picture,) = answer["pictures"]
    assert picture.pop("seconds") > 0
    path = out / "map.webp"
    assert picture == {"path": str(path), "label_map": str(label_map), "seed": 9, "width": 96, "height": 64}
    assert pixels(path).shape == (64, 96, 3)


def test_variations_have_their_seed_in_their_name(run, out: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "sky.png")
    result = run("landscape", tmp_path / "sky.png", "--seed", 5, "--variations", 2, "--format", "jpeg")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["sky_5.jpg", "sky_6.jpg"]
    assert not np.array_equal(pixels(out / "sky_5.jpg"), pixels(out / "sky_6.jpg"))


def test_a_model_without_a_latent_has_no_variations(run, label_map: Path) -> None:
    assert "tiny@10 has no latent" in refused(run("tiny", label_map, "--variations", 2))


def test_painted_maps_are_read_by_the_palette_that_is_named(run, out: Path, label_map: Path, tmp_path: Path) -> None:
    run("tiny@1", label_map)
    by_id = pixels(out / "map.png")
    ids = pixels(label_map)
    (tmp_path / "own.csv").write_text("color,name\n#010203,sky-other\n#040506,tree\n#070809,person\n#ffffff,unknown\n")
    for palette, colors in {
        "model": {0: 0x9CEEDD, 1: 0xA8C832, 2: 0x00FF00, 255: 0},
        str(tmp_path / "own.csv"): {0: 0x010203, 1: 0x040506, 2: 0x070809, 255: 0xFFFFFF},
    }.items():
        painted = np.zeros((*ids.shape, 3), np.uint8)
        for class_id, color in colors.items():
            painted[ids == class_id] = (color >> 16, color >> 8 & 255, color & 255)
        Image.fromarray(painted).save(tmp_path / "painted.png")
        result = run("tiny@1", tmp_path / "painted.png", "--palette", palette)
        assert result.exit_code == 0, result.output
        assert np.array_equal(pixels(out / "painted.png"), by_id)


def test_a_weights_file_takes_its_palette_from_a_csv_file(
    run, label_map: Path, tmp_path: Path, registry: Registry, card: ModelCard
) -> None:
    weights = ensure_weights(registry, card)
    Image.fromarray(np.full((32, 64, 3), 9, np.uint8)).save(tmp_path / "painted.png")
    (tmp_path / "own.csv").write_text("color,id\n#090909,2\n")
    assert run(weights, tmp_path / "painted.png", "--palette", tmp_path / "own.csv").exit_code == 0
    assert "give a CSV file instead" in refused(run(weights, label_map, "--palette", "gaugan"))
    assert "no palette 'nix'; it has: model, gaugan" in refused(run("tiny", label_map, "--palette", "nix"))


def test_an_instance_map_draws_borders_inside_a_class(run, out: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((32, 64), np.uint8)).save(tmp_path / "map.png")
    Image.fromarray((np.arange(2048).reshape(32, 64) // 640).astype(np.uint8)).save(tmp_path / "instances.png")
    run("tiny@1", tmp_path / "map.png")
    plain = pixels(out / "map.png")
    result = run("tiny@1", tmp_path / "map.png", "--instance-map", tmp_path / "instances.png")
    assert result.exit_code == 0, result.output
    assert not np.array_equal(pixels(out / "map.png"), plain)


def test_instance_maps_go_with_label_maps_one_to_one_and_in_size(run, label_map: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / "small.png")
    message = refused(run("tiny", label_map, "--instance-map", tmp_path / "small.png"))
    assert "small.png: it has 9x8 pixels, but its label map" in message
    message = refused(run("tiny", label_map, *["--instance-map", tmp_path / "small.png"] * 2))
    assert "2 instance maps for 1 label maps" in message


def test_two_maps_of_one_stem_are_refused_before_any_picture(run, out: Path, label_map: Path, tmp_path: Path) -> None:
    assert "2 label maps would make the one picture" in refused(run("tiny", label_map, tmp_path / "x" / "map.png"))
    assert not out.exists()


def test_an_input_is_never_replaced(run, label_map: Path) -> None:
    before = label_map.read_bytes()
    assert "would replace an input" in refused(run("tiny", label_map, "-o", label_map.parent))
    assert label_map.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nix"], "no model 'nix'; there are: coco-stuff, landscape, street, tiny"),
        (["tiny@7"], "'tiny' has no version '7'; it has: 1, 10"),
        (["nix.safetensors"], "nix.safetensors: there is no such file"),
        (["tiny", "--size", "100x100"], "size 100x100: width and height must be multiples of 32"),
        (["landscape", "--size", "512x512"], "makes only 256x256"),
        (["tiny", "--device", "tpu"], "no device 'tpu'"),
        (["tiny", "nix.png"], "nix.png: No such file or directory"),
        (["tiny", "."], ".: Is a directory"),
        (["tiny", __file__], "the file is no image"),
        (["tiny", "--palette", "nix.csv"], "nix.csv: No such file or directory"),
        (["tiny", "-o", __file__], "File exists"),
        (["tiny", "-o", f"{__file__}/x"], "Not a directory"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_status_1(run, label_map: Path, arguments: list[str], named: str) -> None:
    model, *rest = arguments
    assert named in refused(run(model, label_map, *rest))


def test_ids_that_the_model_does_not_have_are_named(run, tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 77, np.uint8)).save(tmp_path / "bad.png")
    assert refused(run("tiny", tmp_path / "bad.png")).endswith(": 77 (16 pixels in (0, 0, 4, 4))\n")


def test_a_folder_without_permission_is_refused(
    run, out: Path, label_map: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere, so the answer of the system is given here.
    monkeypatch.setattr("os.access", lambda path, *_: path != out)
    assert f"{out}: no permission to write there" in refused(run("tiny", label_map))


@pytest.mark.parametrize(
    "arguments", [["tiny"], ["tiny", "map.png", "--variations", "0"], ["tiny", "map.png", "--format", "gif"]]
)
def test_bad_usage_ends_with_status_2(run, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_the_command_line_runs_as_a_program_and_shows_examples(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "model_store.cli", "synthesize"]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert "spade synthesize landscape map.png -o out/" in shown.stdout
    failed = subprocess.run(
        [*command, "nix", "map.png", "-o", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1
    assert failed.stderr == "Error: there is no model 'nix'; there are: coco-stuff, landscape, street\n"
