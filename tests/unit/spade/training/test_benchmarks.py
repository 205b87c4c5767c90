"""The benchmarks of training and its data measure what they say, on networks and datasets small enough for a test."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from model_store.cli import spade

SMALL = ["--base-channels", "2", "--rounds", "1", "--json"]


def test_the_training_benchmark_compares_paths_that_compute_the_same_losses() -> None:
    result = CliRunner().invoke(spade, ["bench", "train", "--threads", "1", *SMALL])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert set(figures["paths"]) == {"published", "plain", "fast"}
    for path in figures["paths"].values():
        assert path["pictures_per_second"] == pytest.approx(1 / path["seconds"])
        assert path["peak_memory_bytes"] > 2**27
    assert figures["largest_loss_difference"] < 1e-4
    seconds = {name: path["seconds"] for name, path in figures["paths"].items()}
    assert figures["speedup_over_plain"] == pytest.approx(seconds["plain"] / seconds["fast"])


def test_the_scaling_benchmark_counts_the_pictures_of_all_processes() -> None:
    result = CliRunner().invoke(spade, ["bench", "scaling", "--batch-size", "1", *SMALL])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout.splitlines()[-1])
    assert figures["processes"] == 2
    assert figures["pictures_per_second_alone"] == pytest.approx(1 / figures["seconds_alone"])
    assert figures["pictures_per_second_together"] == pytest.approx(2 / figures["seconds_together"])
    assert figures["speedup"] == pytest.approx(2 * figures["seconds_alone"] / figures["seconds_together"])
    assert figures["speedup_of_machine"] == pytest.approx(
        2 * figures["seconds_alone"] / figures["seconds_side_by_side"]
    )


def test_a_dataset_too_small_for_the_scaling_benchmark_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(spade, ["bench", "scaling", "--dataset", "coco", "--dataroot", str(tmp_path)])
    assert result.exit_code == 1
    assert str(tmp_path) in result.output


@pytest.mark.parametrize("workers", [0, 2])
def test_the_data_benchmark_goes_through_a_small_dataset_as_often_as_it_takes(tmp_path: Path, workers: int) -> None:
    for kind, shape in (("label", (20, 30)), ("img", (20, 30, 3))):
        (tmp_path / f"train_{kind}").mkdir()
        for number in range(3):
            Image.fromarray(np.full(shape, number, np.uint8)).save(tmp_path / f"train_{kind}" / f"{number}.png")
    Image.fromarray(np.full((20, 30), 255, np.uint8)).save(tmp_path / "train_label" / "0.png")
    small = ["--dataset", "custom", "--dataroot", str(tmp_path), "--label-nc", "3", "--dont-care"]
    how = ["--batch-size", "2", "--pairs", "7", "--workers", str(workers), "--json"]
    result = CliRunner().invoke(spade, ["bench", "data", *small, *how])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["pairs"], figures["height"], figures["width"]) == (8, 256, 256)
    assert figures["pairs_per_second"] > 0
    assert 0 < figures["processor_seconds_per_pair"] < 5


def test_the_data_benchmark_draws_scenes_and_says_how_fast() -> None:
    result = CliRunner().invoke(spade, ["bench", "data", "--pairs", "2", "--batch-size", "1", "--workers", "0"])
    assert result.exit_code == 0, result.output
    assert "pairs/s of 256x256 by 0 workers" in result.stdout


def test_the_data_benchmark_names_what_is_missing(tmp_path: Path) -> None:
    result = CliRunner().invoke(spade, ["bench", "data", "--dataset", "coco", "--dataroot", str(tmp_path)])
    assert result.exit_code == 1
    assert str(tmp_path) in result.output
