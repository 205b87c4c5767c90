"""Miniature datasets and runs of `spade train` in processes of their own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from spade.training.metrics_log import read_metrics

Train = Callable[..., Result]
DEADLINE_SECONDS = 120

MakeConfig = Callable[..., Path]
CONFIG = """
batch_size = 2
workers = 0
device = "cpu"
[dataset]
mode = "custom"
root = "{root}"
label_nc = 4
load_size = 70
crop_size = 64
[generator]
base_channels = 2
hidden_channels = 4
[discriminator]
base_channels = 4
[encoder]
base_channels = 1
latent_dim = 8
[ema]
estimation_batches = 2
[schedule]
epochs = 2
[intervals]
log = 2
checkpoint = 6
sample = 16
sample_pictures = 1
"""


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight training and two validation samples of 64x64 pixels in the layout of `custom`."""
    root = tmp_path_factory.mktemp("dataset")
    draw_samples(root, "train", 8)
    draw_samples(root, "val", 2)
    return root


def draw_samples(root: Path, phase: str, count: int) -> None:
    for kind in ("label", "img"):
        (root / f"{phase}_{kind}").mkdir()
    for number in range(count):
        random = np.random.default_rng([number, count])
        labels = np.kron(random.integers(0, 4, (4, 4)), np.ones((16, 16))).astype(np.uint8)
        picture = (labels[..., None] * 60 + random.integers(0, 60, (64, 64, 3))).astype(np.uint8)
        Image.fromarray(labels).save(root / f"{phase}_label" / f"{number}.png")
        Image.fromarray(picture).save(root / f"{phase}_img" / f"{number}.png")


@pytest.fixture
def many_samples(tmp_path: Path) -> Path:
    """200 training samples, an epoch of which takes seconds."""
    root = tmp_path / "many"
    root.mkdir()
    draw_samples(root, "train", 200)
    return root


@pytest.fixture(scope="session")
def config_file(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 8 steps with checkpoints after steps 3, 6 and 8, so in the midst of both epochs and at the end."""
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(CONFIG.format(root=dataset))
    return path


class Training:
    """`spade train` as a child process, or under torchrun as several."""

    def __init__(self, arguments: list[str], *, processes: int = 1, log: Path) -> None:
        torchrun = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--no-python", sys.executable]
        command = [sys.executable, *(torchrun if processes > 1 else []), "-m", "model_store.cli", "train", *arguments]
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"OMP_NUM_THREADS": "1"}
            )

    def wait(self) -> int:
        return self.process.wait(DEADLINE_SECONDS)

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_for_step(self, step: int, folder: Path) -> None:
        """Until the run in `folder` has written the metrics of `step`."""
        self.wait_until(lambda: any(line["step"] >= step for line in read_metrics(folder / "metrics.jsonl")))

    def wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            try:
                self.process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Training]]:
    """Starts trainings, which end with the test at the latest."""
    started: list[Training] = []

    def start_training(*arguments: str | Path, processes: int = 1) -> Training:
        log = tmp_path / f"training-{len(started)}.log"
        started.append(Training([str(argument) for argument in arguments], processes=processes, log=log))
        return started[-1]

    yield start_training
    for training in started:
        if training.process.poll() is None:
            training.process.kill()
        training.process.wait()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def spade() -> Callable[..., Result]:
    """Runs the command in this process."""
    from model_store.cli import spade as commands

    def run(*arguments: object, env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(commands, [str(argument) for argument in arguments], env=env)

    return run


@pytest.fixture
def train(spade: Callable[..., Result], short_config: Path) -> Train:
    def run(*arguments: object, env: dict[str, str] | None = None) -> Result:
        return spade("train", "--config", short_config, *arguments, env=env)

    return run


@pytest.fixture(scope="module")
def short_config(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch of four steps without an encoder."""
    lines = config_file.read_text().replace("[encoder]\nbase_channels = 1\nlatent_dim = 8\n", "")
    path = tmp_path_factory.mktemp("short") / "short.toml"
    path.write_text(lines.replace("epochs = 2", "epochs = 1"))
    return path


@pytest.fixture(scope="module")
def finished_run(short_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from model_store.cli import spade as commands

    folder = tmp_path_factory.mktemp("finished") / "run"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    result = CliRunner().invoke(commands, ["train", "--config", str(short_config), "-o", str(folder), "--tensorboard"])
    torch.set_num_threads(threads)
    assert result.exit_code == 0, result.output
    return folder
