"""The engine's benchmark measures what it says, on a network small enough for a test."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from model_store.cli import spade
from spade.checkpoint import save_network
from support.generators import settled_generator

COMMAND = ["bench", "engine", "--base-channels", "2", "--rounds", "1", "--count", "2", "--threads", "1"]


def test_the_engine_benchmark_holds_every_map_against_the_plain_network() -> None:
    result = CliRunner().invoke(spade, [*COMMAND, "--dataset", "facades", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert [one["name"] for one in figures["maps"]] == ["painted 1", "painted 2"]
    for one in figures["maps"]:
        assert one["cold_speedup"] == pytest.approx(one["plain_seconds"] / one["cold_seconds"])
        assert one["variation_speedup"] == pytest.approx(one["plain_seconds"] / one["variation_seconds"])
    assert 0 < figures["largest_difference"] < 1e-4
    # 2 channels at 256x256: the last block's convolutions, 4 to 2 and 2 to 2, and the one to colours, 2 to 3.
    assert figures["trunk_flops"] > 2 * 9 * 256**2 * (4 * 2 + 2 * 2 + 2 * 3)
    assert min(figures["processes"].values()) > 0


def test_a_model_is_measured_in_its_own_form(tmp_path: Path) -> None:
    generator = settled_generator(latent_dim=4)
    save_network(tmp_path / "model.safetensors", generator)
    path = tmp_path / "model.safetensors"
    result = CliRunner().invoke(spade, [*COMMAND, "--model", str(path), "--maps", "random", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert [one["name"] for one in figures["maps"]] == ["random 1", "random 2"]
    assert (figures["width"], figures["height"]) == (generator.config.width, generator.config.height)
    unknown = CliRunner().invoke(spade, [*COMMAND, "--model", "nowhere@1"])
    assert "no model 'nowhere'" in unknown.output


def test_a_data_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(spade, [*COMMAND, "--dataroot", str(tmp_path / "nowhere")])
    assert result.exit_code == 1
    assert str(tmp_path / "nowhere") in result.output
