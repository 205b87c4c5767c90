import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from torch import Tensor

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


@pytest.mark.parametrize("command", [[], ["verify-parity"]])
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
