"""What ends a run of `spade train` before its time: one clear line, and what lay there before is as it was."""

import errno
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result

from spade.training.metrics_log import read_metrics
from support.refusals import BAD_CONFIGURATION, refusal
from support.waiting import wait_until

Train = Callable[..., Result]


@pytest.fixture
def copied_dataset(dataset: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dataset, tmp_path / "dataset"))


def test_a_label_map_without_its_picture_is_named(train: Train, copied_dataset: Path, tmp_path: Path) -> None:
    (copied_dataset / "train_img" / "3.png").unlink()
    line = refusal(train("-o", tmp_path / "run", "--dataroot", copied_dataset))
    assert "train_label/3.png has no picture" in line


@pytest.mark.parametrize(("kind", "said"), [("label", "train_label/5.png"), ("img", "train_img/5.png")])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_file_ends_the_run_with_its_name(
    train: Train, copied_dataset: Path, tmp_path: Path, kind: str, said: str, workers: int
) -> None:
    damaged = copied_dataset / f"train_{kind}" / "5.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    line = refusal(train("-o", tmp_path / "run", "--dataroot", copied_dataset, "--workers", workers))
    assert said in line
    assert "failed" in (tmp_path / "run" / "index.html").read_text()


def test_a_checkpoint_of_another_architecture_is_refused(train: Train, finished_run: Path) -> None:
    before = (finished_run / "config.toml").read_bytes()
    line = refusal(train("-o", finished_run, "--set", "generator.base_channels=3"), exit_code=1)
    assert line.endswith("of another architecture: its generator has base_channels 2, this configuration has 3")
    assert (finished_run / "config.toml").read_bytes() == before


def test_a_run_that_must_not_resume_refuses_a_folder_with_checkpoints(train: Train, finished_run: Path) -> None:
    line = refusal(train("-o", finished_run, "--resume", "never"), exit_code=1)
    assert "there is a run already; go on from it with --resume auto" in line


def test_a_run_goes_on_from_a_checkpoint_that_is_named(train: Train, finished_run: Path, tmp_path: Path) -> None:
    result = train("-o", tmp_path / "run", "--resume", finished_run / "checkpoints" / "step-000000003.pt")
    assert result.exit_code == 0, result.output
    assert [line["step"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl")] == [4]
    again = torch.load(tmp_path / "run" / "checkpoints" / "step-000000004.pt", weights_only=True)
    first = torch.load(finished_run / "checkpoints" / "step-000000004.pt", weights_only=True)
    for name, tensor in first["networks"]["generator"].items():
        assert torch.equal(tensor, again["networks"]["generator"][name]), name


def test_a_full_disk_ends_the_run_with_the_earlier_checkpoint_intact(
    train: Train, finished_run: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished_run, tmp_path / "run"))
    before = {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        result = train("-o", folder, "--epochs", 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    line = refusal(result, exit_code=1)
    assert line == f"{folder}/checkpoints/step-000000006.pt: cannot be written: File too large"
    assert {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()} == before


def test_a_disk_that_is_too_full_for_the_page_does_not_hide_what_went_wrong(
    train: Train, copied_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spade.training.report import ReportPage

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "index.html")

    monkeypatch.setattr(ReportPage, "ended", full)
    (copied_dataset / "train_img" / "5.png").write_bytes(b"")
    assert "train_img/5.png" in refusal(train("-o", tmp_path / "run", "--dataroot", copied_dataset))


def test_what_killed_runs_left_unfinished_is_cleared_away(train: Train, finished_run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished_run, tmp_path / "run"))
    for name in (".index.html.7.partial", "samples/.step-000000003.png.7.partial"):
        (folder / name).write_bytes(b"half")
    assert train("-o", folder).exit_code == 0
    assert list(folder.rglob("*.partial")) == []


def test_a_folder_in_which_another_run_trains_is_refused(train: Train, tmp_path: Path) -> None:
    hold = "import sys, pathlib, spade.training.sole_run as s\nwith s.sole_run_in(pathlib.Path(sys.argv[1])): input()"
    for place, options in ((tmp_path / "run", ()), (tmp_path / "kept", ("--checkpoints", tmp_path / "kept"))):
        with subprocess.Popen([sys.executable, "-c", hold, str(place)], stdin=subprocess.PIPE) as holder:
            wait_until(lambda lock=place / ".lock": lock.exists() and lock.read_text(), "the lock is held")
            result = train("-o", tmp_path / "run", *options)
            assert f"{place}: process {holder.pid} of " in refusal(result, exit_code=1)
            holder.kill()


def test_divergence_names_the_losses_and_the_last_good_checkpoint(
    train: Train, finished_run: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished_run, tmp_path / "run"))
    line = refusal(train("-o", folder, "--epochs", 4, "--set", "optimizer.learning_rate=1e25"), exit_code=1)
    assert line.startswith("training diverged at step ")
    assert any(
        f"{name} nan" in line or f"{name} inf" in line or f"{name} weights" in line for name in ("GAN", "D_Fake")
    )
    assert f"the last good checkpoint is {folder}/checkpoints/step-00000000" in line
    assert "lower optimizer.learning_rate" in line


def test_ctrl_c_before_the_first_step_ends_well(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from spade.training.report import ReportPage

    monkeypatch.setattr(ReportPage, "started", lambda *_: signal.raise_signal(signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    result = train("-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert capfd.readouterr().err == "It stops after this step and saves it; told so again, it ends at once.\n"
    assert "stopped after step 0" in result.stderr
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_that_was_stopped_ends_with_the_status_that_was_asked_for(
    train: Train, finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spade.training.report import ReportPage

    assert train("-o", finished_run, "--stopped-status", 75).exit_code == 0, "it has come to its end"
    monkeypatch.setattr(ReportPage, "started", lambda *_: signal.raise_signal(signal.SIGTERM))
    assert train("-o", tmp_path / "run", "--stopped-status", 75).exit_code == 75


def test_an_error_ends_the_processes_that_read_samples_too(
    short_config: Path, copied_dataset: Path, start: Callable[..., Any], tmp_path: Path
) -> None:
    (copied_dataset / "train_img" / "5.png").write_bytes(b"")
    options = ("--dataroot", copied_dataset, "--workers", "2")
    training = start("--config", short_config, "-o", tmp_path / "run", *options)
    assert training.wait() == BAD_CONFIGURATION, training.output
    assert training.output.splitlines()[-1].startswith(f"Error: {copied_dataset}/train_img/5.png: ")


def test_a_folder_is_no_checkpoint(train: Train, finished_run: Path, tmp_path: Path) -> None:
    line = refusal(train("-o", tmp_path / "run", "--resume", finished_run), exit_code=1)
    assert line == f"{finished_run}: it is a folder; name one of the checkpoints in it"


def test_a_run_does_not_go_on_with_another_dataset_unless_its_checkpoint_is_named(
    train: Train, finished_run: Path, copied_dataset: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished_run, tmp_path / "run"))
    options = ("-o", folder, "--epochs", 2, "--dataroot")
    moved = Path(shutil.copytree(copied_dataset, tmp_path / "moved"))
    for path in [*copied_dataset.glob("train_label/*"), *copied_dataset.glob("train_img/*")]:
        path.rename(path.with_name(f"other-{path.name}"))

    checkpoint = folder / "checkpoints" / "step-000000004.pt"
    line = refusal(train(*options, copied_dataset), exit_code=1)
    assert line.startswith(f"{checkpoint}: of another dataset: it learned from custom ")
    assert f"this configuration has custom {copied_dataset}, whose samples have other names" in line

    assert train("-o", tmp_path / "named", *options[2:], copied_dataset, "--resume", checkpoint).exit_code == 0
    assert train(*options, moved).exit_code == 0, "a dataset may lie elsewhere"
    with_more = ("train_label/one.png", "train_img/one.png")
    for name in with_more:
        shutil.copy((moved / name).with_name("1.png"), moved / name)
    assert train("-o", folder, "--epochs", 3, "--dataroot", moved).exit_code == 0, "a dataset may grow"
