import json
from pathlib import Path
from typing import Any

import click
import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor

from spade.checkpoint import load_generator
from spade.cli import spade
from spade.options import OneLineErrors
from support.recordings import complete, write
from support.refusals import refusal

Recorded = tuple[dict[str, Any], dict[str, Tensor], str]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spade, [str(argument) for argument in arguments], terminal_width=200)


@pytest.fixture
def parity_file(recorded_coco: Recorded, tmp_path: Path) -> Path:
    return write(tmp_path / "coco[red].safetensors", *complete(recorded_coco))  # brackets are markup to the table


@pytest.fixture
def pth(recorded_coco: Recorded, tmp_path: Path) -> Path:
    path = tmp_path / "latest_net_G.pth"
    torch.save({name[8:]: tensor for name, tensor in recorded_coco[1].items() if name.startswith("state.G.")}, path)
    return path


def test_parity_is_shown_tensor_by_tensor(parity_file: Path) -> None:
    result = run("verify-parity", parity_file)
    assert result.exit_code == 0, result.output
    for shown in (
        "in.semantics",
        "0.00e+00",
        "eval.fake",
        "train.loss.GAN",
        "after.G: tensors",
        "1e-04",
        "ok",
        "coco[red]",
    ):
        assert shown in result.output
    assert "after.G.conv_img.bias" in run("verify-parity", "--all", parity_file).output


def test_parity_for_programs_is_one_json_object(parity_file: Path, tmp_path: Path) -> None:
    result = run("verify-parity", "--json", parity_file, tmp_path / "nix.safetensors")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    good, absent = answer["files"]
    assert (answer["passed"], good["passed"], absent["passed"]) == (False, True, False)
    assert {"in.semantics", "eval.fake", "after.D.discriminator_0.model4.0.bias"} <= {
        check["tensor"] for check in good["checks"]
    }
    assert all(check["difference"] <= check["tolerance"] for check in good["checks"])
    assert "there is no such file" in absent["error"]


def test_a_difference_beyond_the_tolerance_ends_with_status_1(recorded_coco: Recorded, tmp_path: Path) -> None:
    options, tensors = complete(recorded_coco)
    tensors["train.fake"] = tensors["train.fake"][:, :, :9].clone()
    path = write(tmp_path / "case.safetensors", options, tensors)
    shown = run("verify-parity", path)
    assert shown.exit_code == 1
    assert "too far" in shown.output
    answer = json.loads(run("verify-parity", "--json", path).stdout)
    (failed,) = (check for check in answer["files"][0]["checks"] if not check["passed"])
    assert (failed["tensor"], failed["difference"]) == ("train.fake", None)


def test_a_file_that_cannot_be_checked_ends_with_status_1_after_the_others(parity_file: Path, tmp_path: Path) -> None:
    result = run("verify-parity", tmp_path / "nix.safetensors", parity_file)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path}/nix.safetensors: there is no such file\n"
    assert "ok" in result.stdout


def test_a_published_file_is_converted(pth: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "mine.safetensors"
    options = ["--label-nc", 9, "--size", "128x64", "--upsampling", "normal"]
    result = run("import-published", pth, "-o", output, *options)
    assert result.exit_code == 0, result.output
    assert "label_nc 9, dont_care True, instance_edges True, height 64, width 128" in result.stdout
    config = load_generator(output).config
    assert (config.label_nc, config.width, config.height) == (9, 128, 64)


def test_conversion_for_programs_is_one_json_object(pth: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.safetensors"
    settings = ["--dataset", "coco", "--label-nc", 10, "--no-edges", "--json"]
    result = run("import-published", pth, "-o", output, *settings)
    answer = json.loads(result.stdout)
    assert answer["output"] == str(output)
    assert (answer["config"]["label_nc"], answer["config"]["instance_edges"]) == (10, False)


def test_what_cannot_be_converted_is_one_line_and_status_1(pth: Path, tmp_path: Path) -> None:
    result = run("import-published", pth, "-o", tmp_path / "mine.safetensors", "--dataset", "cityscapes")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {pth}: it has 11 semantic channels, which does not fit label_nc 35")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "mine.safetensors").exists()


@pytest.mark.parametrize("size", ["256", "0x256", "256x", "256 x 256", "999999x1"])
def test_a_size_that_is_none_is_bad_usage(pth: Path, tmp_path: Path, size: str) -> None:
    result = run("import-published", pth, "-o", tmp_path / "x.safetensors", "--size", size)
    assert result.exit_code == 2
    assert "write width x height in pixels" in result.stderr


@pytest.mark.parametrize("command", [[], ["verify-parity"], ["import-published"]])
def test_help_has_examples(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert not command or f"spade {command[0]} " in result.output


def test_a_lost_reader_of_samples_is_one_line_of_any_command() -> None:
    @click.group(cls=OneLineErrors)
    def group() -> None: ...

    @group.command()
    def read() -> None:
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")

    result = CliRunner().invoke(group, ["read"])
    assert "DataLoader worker (pid 7) is killed by signal: Killed; if memory" in refusal(result, exit_code=1)
