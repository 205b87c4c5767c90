"""The benchmarks of training measure what they say, on networks small enough for a test."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

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
