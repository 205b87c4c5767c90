"""Whatever ends a run, the same command goes on from it, and no bit of the result tells."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from spade.training.metrics_log import read_metrics
from support.checkpoints import differences, state_of

LAST_STEP = 8


@pytest.fixture(scope="module")
def uninterrupted(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from click.testing import CliRunner

    from spade.cli import spade

    folder = tmp_path_factory.mktemp("uninterrupted")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    result = CliRunner().invoke(spade, ["train", "--config", str(config_file), "-o", str(folder)])
    torch.set_num_threads(threads)
    assert result.exit_code == 0, result.output
    return folder


def test_a_run_that_is_killed_resumes_and_ends_with_the_same_bits(
    config_file: Path, uninterrupted: Path, start: Callable[..., Any], tmp_path: Path
) -> None:
    step = random.randint(4, LAST_STEP - 1)  # noqa: S311 - no secret
    killed = start("--config", config_file, "-o", tmp_path / "run")
    killed.wait_for_step(step, tmp_path / "run")
    killed.process.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL, f"it was to be killed after step {step}: {killed.output}"

    resumed = start("--config", config_file, "-o", tmp_path / "run")
    assert resumed.wait() == 0, resumed.output
    assert "goes on from" in resumed.output
    assert differences(state_of(uninterrupted), state_of(tmp_path / "run")) == [], f"killed after step {step}"
    steps = [line["step"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl")]
    assert steps == list(range(1, LAST_STEP + 1))


def test_a_run_goes_on_from_the_state_of_an_epoch_with_the_same_bits(
    config_file: Path, uninterrupted: Path, spade: Callable[..., Any], tmp_path: Path
) -> None:
    options = ("train", "--config", config_file, "-o")
    keeping = ("--set", "intervals.keep_epochs=1", "--epochs", 1)
    first = spade(*options, tmp_path / "first", *keeping)
    assert first.exit_code == 0, first.output
    kept = tmp_path / "first" / "checkpoints" / "epoch-000001.pt"
    second = spade(*options, tmp_path / "second", "--resume", kept)
    assert second.exit_code == 0, second.output
    assert differences(state_of(uninterrupted), state_of(tmp_path / "second")) == []


def test_a_run_that_is_terminated_saves_ends_well_and_resumes_with_the_same_bits(
    config_file: Path, uninterrupted: Path, start: Callable[..., Any], tmp_path: Path
) -> None:
    terminated = start("--config", config_file, "-o", tmp_path / "run")
    terminated.wait_for_step(1, tmp_path / "run")
    terminated.process.terminate()
    assert terminated.wait() == 0, terminated.output
    stopped_at = state_of(tmp_path / "run")["position"]["step"]
    assert 0 < stopped_at < LAST_STEP
    assert f"stopped after step {stopped_at}" in terminated.output

    resumed = start("--config", config_file, "-o", tmp_path / "run")
    assert resumed.wait() == 0, resumed.output
    assert differences(state_of(uninterrupted), state_of(tmp_path / "run")) == []


def test_two_processes_stop_after_the_same_step_when_one_is_asked_to(
    config_file: Path, start: Callable[..., Any], tmp_path: Path
) -> None:
    training = start("--config", config_file, "-o", tmp_path / "run", processes=2)
    training.wait_for_step(1, tmp_path / "run")
    of_rank_1 = next(
        child for child in psutil.Process(training.process.pid).children() if child.environ().get("RANK") == "1"
    )
    of_rank_1.terminate()
    assert training.wait() == 0, training.output
    stopped_at = state_of(tmp_path / "run")["position"]["step"]
    assert 0 < stopped_at < LAST_STEP

    # One process can go on from where two stopped: batches are of all processes together.
    resumed = start("--config", config_file, "-o", tmp_path / "run")
    assert resumed.wait() == 0, resumed.output
    position = state_of(tmp_path / "run")["position"]
    assert (position["step"], position["pictures"]) == (LAST_STEP, 2 * LAST_STEP)


def test_a_run_that_is_terminated_while_it_starts_ends_well(
    short_config: Path, start: Callable[..., Any], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "config.toml")
    starting = start("--config", tmp_path / "config.toml", "-o", tmp_path / "run")
    with (tmp_path / "config.toml").open("w") as awaited:  # opens when the run does
        starting.process.terminate()
        awaited.write(short_config.read_text())
    assert starting.wait() == 0, starting.output
    assert "stopped after step 0" in starting.output


def test_a_launcher_may_terminate_the_processes_that_read_samples_too(
    short_config: Path, many_samples: Path, start: Callable[..., Any], tmp_path: Path
) -> None:
    launched = start("--config", short_config, "-o", tmp_path / "run", "--dataroot", many_samples, "--workers", "1")
    launched.wait_for_step(1, tmp_path / "run")
    training = psutil.Process(launched.process.pid)
    for process in [*training.children(), training]:
        process.terminate()
    assert launched.wait() == 0, launched.output
    assert f"stopped after step {state_of(tmp_path / 'run')['position']['step']}" in launched.output
