"""`spade train --start-from`: a run that begins with trained weights, and what its folder tells of them."""

import hashlib
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result

from support.refusals import refusal

Train = Callable[..., Result]
STILL = ("--set", "optimizer.learning_rate=1e-30")
"""Weights of such a run are those that it started from."""


@pytest.fixture(scope="module")
def published(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from click.testing import CliRunner

    from model_store.cli import spade

    folder = tmp_path_factory.mktemp("published")
    arguments = ["export", "run", str(finished_run), "--published", str(folder), "--weights", "last"]
    result = CliRunner().invoke(spade, arguments)
    assert result.exit_code == 0, result.output
    return folder


def networks_of(run: Path, step: int) -> dict[str, dict[str, torch.Tensor]]:
    path = run / "checkpoints" / f"step-{step:09}.pt"
    networks: dict[str, dict[str, torch.Tensor]] = torch.load(path, weights_only=True)["networks"]
    return networks


def test_a_run_starts_from_published_files_and_tells_their_digests(
    train: Train, finished_run: Path, published: Path, tmp_path: Path
) -> None:
    result = train("-o", tmp_path / "run", "--start-from", published, "--seed", 5, *STILL)
    assert result.exit_code == 0, result.output
    assert f"generator: starts from {published}/latest_net_G.pth" in result.stderr
    for name, tensors in networks_of(finished_run, 4).items():
        ours = networks_of(tmp_path / "run", 4)[name]
        assert all(
            torch.allclose(ours[one], tensors[one], atol=1e-20)
            for one in tensors
            if one.endswith(("bias", "weight", "original"))
        ), name

    start = tomllib.loads((tmp_path / "run" / "config.toml").read_text())["start"]
    assert start == {
        "weights": str(published),
        "other_classes": False,
        "digests": [
            f"{hashlib.sha256((published / name).read_bytes()).hexdigest()}  {name}"
            for name in ("latest_net_G.pth", "latest_net_D.pth")
        ],
    }
    assert str(published) in (tmp_path / "run" / "index.html").read_text()
    again = train("-o", tmp_path / "again", "--config", tmp_path / "run" / "config.toml")
    assert again.exit_code == 0, again.output


def test_a_run_that_goes_on_does_not_read_the_files_again(train: Train, published: Path, tmp_path: Path) -> None:
    files = Path(shutil.copytree(published, tmp_path / "files"))
    first = train("-o", tmp_path / "run", "--start-from", files)
    assert first.exit_code == 0, first.output
    before = tomllib.loads((tmp_path / "run" / "config.toml").read_text())["start"]
    shutil.rmtree(files)
    for options in (("--start-from", files, "--epochs", 2), ("--epochs", 3)):
        result = train("-o", tmp_path / "run", *options)
        assert result.exit_code == 0, result.output
        assert "starts from" not in result.stderr
        assert tomllib.loads((tmp_path / "run" / "config.toml").read_text())["start"] == before
    assert "what it started from is not read again" in train("-o", tmp_path / "run", "--start-from", files).stderr


def test_a_run_with_other_classes_starts_from_a_version_of_a_model(
    spade: Callable[..., Result], train: Train, finished_run: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    exported = spade("export", "run", finished_run, "--model", "mine@3", "--models-dir", models, "--weights", "last")
    assert exported.exit_code == 0, exported.output
    environment = {"SPADE_MODELS_DIR": str(models)}
    options = ("--label-nc", 6, "--start-from", "mine@3")
    line = refusal(train("-o", tmp_path / "run", *options, env=environment), exit_code=64)
    assert "model.safetensors: tensor start.weight is float32 (32, 4, 3, 3), this configuration has float32" in line
    assert line.endswith("(32, 6, 3, 3); if the classes are others, say --start-from-other-classes")

    result = train("-o", tmp_path / "run", *options, "--start-from-other-classes", *STILL, env=environment)
    assert result.exit_code == 0, result.output
    assert "model.safetensors; 19 layers that read the classes start fresh" in result.stderr
    assert "discriminator: starts fresh, for there are no weights of one" in result.stderr
    ours, theirs = (networks_of(run, 4)["generator"] for run in (tmp_path / "run", finished_run))
    assert torch.allclose(ours["up_2.conv_0.bias"], theirs["up_2.conv_0.bias"], atol=1e-20)
    assert ours["start.weight"].shape[1] == 6

    remote = train("-o", tmp_path / "none", "--start-from", "s3://spade/mine", env=environment)
    assert "first: spade export run s3://spade/mine -o FILE.safetensors" in refusal(remote, 64)
    unknown = train("-o", tmp_path / "none", "--start-from", "yours", env=environment)
    assert "yours: there is no such file or folder to start from, and there is no model" in refusal(unknown, 64)


def test_a_run_starts_from_another_runs_folder(train: Train, finished_run: Path, tmp_path: Path) -> None:
    result = train("-o", tmp_path / "run", "--start-from", finished_run, *STILL)
    assert result.exit_code == 0, result.output
    assert f"discriminator: starts from {finished_run}/checkpoints/step-000000004.pt" in result.stderr
