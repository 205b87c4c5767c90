import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from model_store.cli import spade
from support.models import add_small_model

Dataset = Callable[..., Path]
CUSTOM = ("--label-nc", "3", "--dont-care")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(spade, [str(argument) for argument in arguments])


def ok(*arguments: object) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def complaint(*arguments: object, code: int = 1) -> str:
    result = call(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    if code == 1:
        assert result.stderr.strip().count("\n") == 0
    return result.stderr


def custom(root: Path) -> tuple[object, ...]:
    return ("--dataset", "custom", "--dataroot", root)


@pytest.fixture
def results(shapes_dataset: Dataset, model_file: Path, tmp_path: Path) -> Path:
    root = shapes_dataset(val=3)
    out = ok("test", model_file, *custom(root), "-o", tmp_path / "results", "--device", "cpu", "--class-names", "a,b,c")
    assert "3 pictures of 64x64" in out
    return tmp_path / "results"


def test_a_dataset_through_a_model_makes_pictures_in_the_published_layout_and_a_page(
    results: Path, shapes: Callable[..., tuple[np.ndarray, np.ndarray]]
) -> None:
    for kind in ("input_label", "synthesized_image", "real_image"):
        assert sorted(file.name for file in (results / "images" / kind).iterdir()) == [
            f"shape_{number}.png" for number in range(3)
        ]
    _, photograph = shapes(2000)
    np.testing.assert_array_equal(np.asarray(Image.open(results / "images/real_image/shape_0.png")), photograph)
    painted = np.asarray(Image.open(results / "images/input_label/shape_0.png"))
    assert len(np.unique(painted.reshape(-1, 3), axis=0)) == 4
    page = (results / "index.html").read_text()
    assert "shape_2" in page
    assert "unknown" in page
    listed = json.loads((results / "results.json").read_text())
    assert len(listed["weights_sha256"]) == 64
    assert listed["pictures"][1] == {
        "name": "shape_1",
        "seed": None,
        "input_label": "images/input_label/shape_1.png",
        "synthesized_image": "images/synthesized_image/shape_1.png",
        "real_image": "images/real_image/shape_1.png",
    }


def test_what_a_killed_test_left_unfinished_is_cleared_away(
    shapes_dataset: Dataset, model_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "results" / "images" / "synthesized_image"
    folder.mkdir(parents=True)
    (folder / ".shape_0.png.7.partial").touch()
    ok("test", model_file, *custom(shapes_dataset(val=1)), "-o", tmp_path / "results", "--device", "cpu")
    assert [file.name for file in folder.iterdir()] == ["shape_0.png"]


def test_label_maps_without_photographs_are_enough(shapes_dataset: Dataset, tmp_path: Path) -> None:
    root = shapes_dataset(val=2, photographs=False)
    for file in (root / "val_label").iterdir():
        Image.fromarray(np.asarray(Image.open(file)) % 4).save(file)  # for the landscapes, every id is a class
    where = ("-o", tmp_path / "results", "--device", "cpu", "--seed", "7", "--models-dir", tmp_path / "models")
    out = ok("test", "landscape", *custom(root), *where, "--json")
    assert json.loads(out) == {"page": str(tmp_path / "results" / "index.html"), "pictures": 2, "photographs": False}
    assert not (tmp_path / "results" / "images" / "real_image").exists()
    listed = json.loads((tmp_path / "results" / "results.json").read_text())
    assert [one["seed"] for one in listed["pictures"]] == [7, 8]
    assert (listed["model"], listed["training"], listed["width"]) == ("landscape@1", "trained", 256)


def test_pictures_of_an_untrained_model_are_said_to_be_patterns(shapes_dataset: Dataset, tmp_path: Path) -> None:
    add_small_model(tmp_path / "models", "small", label_nc=3, instance_edges=False)
    where = ("-o", tmp_path / "results", "--device", "cpu", "--models-dir", tmp_path / "models")
    assert "small@1 is untrained: these are patterns" in ok("test", "small", *custom(shapes_dataset(val=1)), *where)


def test_pictures_on_disk_and_the_model_itself_get_the_same_marks(
    results: Path, segmenter_file: Path, model_file: Path, tmp_path: Path
) -> None:
    root = tmp_path / "shapes"
    judged = (*custom(root), *CUSTOM, "--segmenter", segmenter_file, "--device", "cpu", "--json")
    from_folder = json.loads(ok("evaluate", results, *judged))
    from_model = json.loads(ok("evaluate", "--model", model_file, *judged, "-o", tmp_path / "report.json"))
    assert from_folder["metrics"] == from_model["metrics"]
    assert from_folder["protocol"]["weights"] == from_model["protocol"]["weights"][1:]
    assert json.loads((tmp_path / "report.json").read_text()) == from_model
    refused = call("evaluate", results, *judged, "-o", tmp_path)
    assert (refused.exit_code, json.loads(refused.stdout)["metrics"]) == (1, from_model["metrics"])


def test_the_report_for_people_tells_values_reasons_and_protocol(
    results: Path, segmenter_file: Path, tmp_path: Path
) -> None:
    out = ok(
        "evaluate", results, *custom(tmp_path / "shapes"), *CUSTOM, "--segmenter", segmenter_file, "--device", "cpu"
    )
    for expected in ("mIoU", "FID (segmenter", "left out", "split val", "ignored id: 3", "sha256", "torch 2"):
        assert expected in out


def test_a_segmenter_is_trained_and_then_judges(shapes_dataset: Dataset, tmp_path: Path) -> None:
    root = shapes_dataset(train=4, val=2)
    output = tmp_path / "s.safetensors"
    training = ("train-segmenter", *custom(root), *CUSTOM, "-o", output, "--size", "64x64", "--base-channels", "2")
    out = ok(*training, "--epochs", "2", "--batch-size", "4", "--device", "cpu", "--class-names", "a,b,c")
    assert "IoU on validation pictures" in out
    assert "s.safetensors: epoch" in out
    result = json.loads(ok(*training, "--epochs", "1", "--batch-size", "2", "--device", "cpu", "--json"))
    assert (result["epochs"], result["best_epoch"], list(result["iou"])) == (1, 1, ["0", "1", "2"])
    judged = (root / "val_img", *custom(root), *CUSTOM, "--segmenter", output, "--device", "cpu", "--json")
    found = {one["name"]: one["value"] for one in json.loads(ok("evaluate", *judged))["metrics"]}
    assert found["miou"] == pytest.approx(result["mean_iou"])


def test_bad_input_is_answered_with_one_line(
    results: Path, shapes_dataset: Dataset, segmenter_file: Path, model_file: Path, tmp_path: Path
) -> None:
    root = tmp_path / "shapes"
    judged = (*custom(root), *CUSTOM, "--segmenter", segmenter_file)
    (results / "images" / "synthesized_image" / "shape_1.png").unlink()
    assert "there is no file for shape_1" in complaint("evaluate", results, *judged)
    Image.new("RGB", (32, 32)).save(results / "images" / "synthesized_image" / "shape_1.png")
    assert "it has 32x32 pixels, the others 64x64" in complaint("evaluate", results, *judged)
    assert "label_nc is 3 in the model, 5" in complaint(
        "test", model_file, *custom(root), "--label-nc", "5", "-o", tmp_path / "x"
    )
    other = ("--label-nc", "2", "--dont-care", "--segmenter", segmenter_file)
    assert "the dataset has 2 and ignores 2" in complaint("evaluate", results, *custom(root), *other)
    assert "holds no segmenter" in complaint("evaluate", results, *custom(root), *CUSTOM, "--segmenter", model_file)
    assert "not Inception v3" in complaint("evaluate", results, *custom(root), *CUSTOM, "--inception", model_file)
    assert "no.pth: there is no such file" in complaint(
        "evaluate", results, *custom(root), *CUSTOM, "--lpips", tmp_path / "no.pth"
    )
    assert "there is no such file; leave out --resume" in complaint(
        "train-segmenter", *custom(shapes_dataset("new", train=1, val=1)), *CUSTOM, "-o", tmp_path / "t", "--resume"
    )
    assert "val_label: there is no such folder" in complaint(
        "test", model_file, *custom(tmp_path), "-o", tmp_path / "x", "--device", "cpu"
    )


def test_contradicting_options_are_bad_usage(tmp_path: Path) -> None:
    assert "either PICTURES, a folder, or --model" in complaint("evaluate", "--reference", tmp_path, code=2)
    assert "either --dataset or --reference" in complaint("evaluate", tmp_path, code=2)
    assert "is not one of" in complaint("test", "landscape", "--dataset", "nothing", "-o", tmp_path, code=2)


@pytest.mark.parametrize("command", ["test", "evaluate", "train-segmenter"])
def test_help_shows_examples_without_loading_torch(command: str) -> None:
    code = (
        "import sys; from model_store.cli import spade; spade([sys.argv[1], '--help'], standalone_mode=False);"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, command], capture_output=True, text=True, check=True)
    assert "Examples:" in done.stdout
