"""Figures of `spade evaluate --card` in a model's card."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model_store.cli import spade
from model_store.registry import CARD_FILE
from model_store.versions import read_card, write_card
from spade.data.scenes.classes import SCENE_CLASSES
from support.models import add_small_model
from support.segmenters import save_untrained_segmenter

JUDGING = ("spade.evaluation.judg", "spade.evaluation.kernel_distance")


@pytest.fixture
def segmenter_file(tmp_path: Path) -> Path:
    """A segmenter of the classes of scenes that has learnt nothing."""
    return save_untrained_segmenter(tmp_path / "s.safetensors", classes=13, ignored_id=13, dataset="scenes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a model of the classes of scenes."""
    card = add_small_model(tmp_path / "models", "small", label_nc=13, dont_care=True)
    folder = tmp_path / "models" / "small" / "1"
    classes = tuple(replace(one, name=SCENE_CLASSES[one.id]) for one in card.classes)
    write_card(folder, replace(card, classes=classes))
    return folder


def evaluate(folder: Path, *arguments: object) -> Result:
    models = ("--models-dir", folder.parent.parent, "--device", "cpu")
    command = ("evaluate", "--dataset", "scenes", "--limit", "2", *models, *arguments)
    return CliRunner().invoke(spade, [str(argument) for argument in command])


def test_a_card_keeps_the_figures_and_what_they_were_measured_on(folder: Path, segmenter_file: Path) -> None:
    judged = ("--segmenter", segmenter_file, "--card", folder)
    result = evaluate(folder, "--model", "small", *judged)
    assert result.exit_code == 0, result.output
    assert "pt_inception-2015-12-05-6726825d.pth" in result.output.replace("│", "").replace(" ", "").replace("\n", "")
    measured = read_card(folder / CARD_FILE).measured
    assert measured is not None
    assert (measured.dataset, measured.split, measured.pictures, measured.width) == ("scenes", "val", 2, 64)
    figures = {figure.name: figure for figure in measured.figures}
    assert {"miou_photographs", "fid_segmenter", "diversity_segmenter", "reconstruction_segmenter"} <= figures.keys()
    assert figures["accuracy"].shown == f"{figures['accuracy'].value:.1%}"
    again = evaluate(folder, "--model", "small", *judged)
    assert again.exit_code == 0
    assert read_card(folder / CARD_FILE).measured == measured


def test_a_card_of_other_weights_is_left_alone(folder: Path, segmenter_file: Path) -> None:
    other = add_small_model(folder.parent.parent, "other", label_nc=13, dont_care=True, hidden_channels=4)
    path = folder.parent.parent / "other" / "1"
    result = evaluate(folder, "--model", "small", "--segmenter", segmenter_file, "--card", path)
    assert result.exit_code == 1
    assert f"{path / CARD_FILE}: it is of weights with sha256 {other.weights.sha256}" in result.stderr
    assert read_card(path / CARD_FILE) == other


def test_a_folder_of_pictures_has_no_card(folder: Path, tmp_path: Path) -> None:
    result = evaluate(folder, tmp_path, "--card", folder)
    assert result.exit_code == 2
    assert "--card needs --model" in result.stderr


def test_without_the_extra_one_line_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == "torchmetrics" or name.startswith(JUDGING)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torchmetrics.image.kid", None)
    result = evaluate(folder, "--model", "small")
    assert result.exit_code == 1
    assert "which the extra [train] brings: pip install" in result.stderr
