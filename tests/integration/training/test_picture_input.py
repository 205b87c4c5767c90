"""From pictures to pictures, label_nc 0: from a dataset on disk through a training to results and a report."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from spade.checkpoint import load_generator
from support.refusals import refusal
from support.segmenters import save_untrained_segmenter

Spade = Callable[..., Result]
NO_CLASSES = "the dataset's input is pictures (label_nc 0), which have no classes"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawings, as JPEG, and what is to be made of them."""
    root = tmp_path_factory.mktemp("pairs")
    for phase, count in (("train", 4), ("val", 3)):
        for number in range(count):
            pixels = np.kron(np.random.default_rng(number).integers(0, 256, (4, 4, 3)), np.ones((16, 16, 1)))
            picture = Image.fromarray(pixels.astype(np.uint8))
            for kind, suffix, image in (("label", "jpg", picture), ("img", "png", picture.rotate(180))):
                folder = root / f"{phase}_{kind}"
                folder.mkdir(exist_ok=True)
                image.save(folder / f"{number}.{suffix}")
    return root


@pytest.fixture(scope="module")
def picture_run(pairs: Path, config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an encoder, of two epochs."""
    from model_store.cli import spade

    folder = tmp_path_factory.mktemp("pictures") / "run"
    arguments = ["train", "--config", str(config_file), "--dataroot", str(pairs), "--label-nc", "0", "-o", str(folder)]
    result = CliRunner().invoke(spade, arguments)
    assert result.exit_code == 0, result.output
    assert "custom: 4 samples, pictures as input, 64x64" in result.stderr
    return folder


@pytest.fixture(scope="module")
def model(picture_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from model_store.cli import spade

    path = tmp_path_factory.mktemp("model") / "sketches.safetensors"
    result = CliRunner().invoke(spade, ["export", "run", str(picture_run), "-o", str(path), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    return path


def test_a_sample_sheet_shows_the_input_picture(picture_run: Path, pairs: Path) -> None:
    sheet = min((picture_run / "samples").iterdir())
    with Image.open(sheet) as image, Image.open(pairs / "val_label" / "0.jpg") as source:
        shown = np.asarray(image.convert("RGB"))[18 : 18 + 64, :64]
        assert np.array_equal(shown, np.asarray(source.convert("RGB")))


def test_an_interrupted_run_goes_on_and_a_new_one_starts_from_it(
    spade: Spade, picture_run: Path, pairs: Path, config_file: Path, tmp_path: Path
) -> None:
    options = ("--config", config_file, "--dataroot", pairs, "--label-nc", 0, "--epochs", 3)
    again = spade("train", *options, "-o", picture_run)
    assert again.exit_code == 0, again.output
    assert "goes on from" in again.stderr
    finer = spade("train", *options, "--epochs", 1, "-o", tmp_path / "finer", "--start-from", picture_run)
    assert finer.exit_code == 0, finer.output


def test_a_pix2pixhd_generator_reads_pictures_too(
    spade: Spade, pairs: Path, short_config: Path, tmp_path: Path
) -> None:
    options = ("--dataroot", pairs, "--label-nc", 0, "--set", "pix2pixhd={base_channels=2, blocks=1}")
    result = spade("train", "--config", short_config, *options, "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output


def test_the_exported_file_says_that_it_reads_pictures_and_makes_results(
    spade: Spade, model: Path, pairs: Path, tmp_path: Path
) -> None:
    assert load_generator(model).config.label_nc == 0
    result = spade("test", model, "--dataset", "custom", "--dataroot", pairs, "-o", tmp_path / "out", "--device", "cpu")
    assert result.exit_code == 0, result.output
    images = tmp_path / "out" / "images"
    assert len(list((images / "synthesized_image").iterdir())) == 3
    with Image.open(images / "input_label" / "0.png") as shown, Image.open(pairs / "val_label" / "0.jpg") as source:
        assert np.array_equal(np.asarray(shown), np.asarray(source.convert("RGB")))
    assert (tmp_path / "out" / "index.html").is_file()


def test_an_evaluation_says_that_classes_cannot_be_scored(
    spade: Spade, model: Path, pairs: Path, tmp_path: Path
) -> None:
    dataset = ("--dataset", "custom", "--dataroot", pairs)
    nothing = spade("evaluate", "--model", model, *dataset, "--device", "cpu")
    assert f"mIoU: {NO_CLASSES}" in refusal(nothing, exit_code=1)

    judge = save_untrained_segmenter(tmp_path / "judge.safetensors", classes=3)
    out = spade("test", model, *dataset, "-o", tmp_path / "out", "--device", "cpu", "--limit", 2)
    assert out.exit_code == 0, out.output
    judged = ("--segmenter", judge, "--kid-subset-size", 2, "--device", "cpu", "--json")
    of_folder = ("evaluate", tmp_path / "out", *dataset, "--label-nc", 0, "--limit", 2, *judged)
    of_model = ("evaluate", "--model", model, *dataset, *judged)
    for arguments, count in ((of_folder, 2), (of_model, 3)):
        result = spade(*arguments)
        assert result.exit_code == 0, result.output
        report = json.loads(result.stdout)
        assert {one["name"] for one in report["metrics"]} >= {"distance_segmenter"}
        left_out = {one["title"]: one["reason"] for one in report["left_out"]}
        assert left_out["mIoU"] == left_out["pixel accuracy"] == NO_CLASSES
        assert report["protocol"]["generated"]["count"] == count


def test_what_knows_class_ids_only_refuses_it(spade: Spade, model: Path, picture_run: Path, tmp_path: Path) -> None:
    served = spade("export", "run", picture_run, "--model", "sketches", "--models-dir", tmp_path / "models")
    assert "a model that reads pictures (label_nc 0) cannot be served" in refusal(served, exit_code=1)
    assert not list(tmp_path.rglob("*.json"))
    made = spade("synthesize", model, __file__, "-o", tmp_path / "out", "--device", "cpu")
    assert "label maps need class ids, but this model reads pictures" in refusal(made, exit_code=1)
    onnx = spade("export", "onnx", model, "-o", tmp_path / "a.onnx")
    assert "ONNX files need class ids, but this model reads pictures" in refusal(onnx, exit_code=1)


def test_a_segmenter_has_no_classes_to_learn(spade: Spade, pairs: Path, tmp_path: Path) -> None:
    dataset = ("--dataset", "custom", "--dataroot", pairs, "--label-nc", 0)
    line = refusal(spade("train-segmenter", *dataset, "-o", tmp_path / "s.safetensors"), exit_code=1)
    assert line.startswith("scores of classes need class ids")
