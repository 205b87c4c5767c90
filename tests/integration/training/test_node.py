"""What a pod of a training run runs: real torchrun, killed, stopped and started again as the cluster would."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch

import deploy.cluster.node
from deploy.cluster.node_settings import NodeSettings
from deploy.cluster.torchrun import torchrun_command
from deploy.local.ports import free_port
from spade.training.metrics_log import read_metrics
from support.waiting import wait_until

BAD_CONFIGURATION, ALONE, STOPPED = 64, 69, 75
DEADLINE_SECONDS = 240


class Node:
    """`python -m deploy.cluster.node` as process 1 of a pod would be."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._log = log
        command = [sys.executable, "-m", "deploy.cluster.node"]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait(self) -> int:
        return self.process.wait(DEADLINE_SECONDS)

    def wait_for_step(self, step: int, folder: Path) -> None:
        def done() -> bool:
            assert self.process.poll() is None, self.output
            return any(line["step"] >= step for line in read_metrics(folder / "metrics.jsonl"))

        wait_until(done, f"step {step}")

    def ranks(self) -> list[psutil.Process]:
        """The training processes, first rank first."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        ranks = [
            child
            for child in children
            if "deploy.cluster.rank" in child.cmdline() and "--nnodes=1" not in child.cmdline()
        ]
        return sorted(ranks, key=lambda rank: int(rank.environ()["RANK"]))

    def end(self) -> None:
        """As when a pod is gone: every process of it."""
        for child in psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else ():
            child.kill()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def environment(config_file: Path, tmp_path: Path) -> dict[str, str]:
    """Of the only node of a run of two processes, whose results go to `tmp_path / "run"`."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        "SPADE_TRAIN_CONFIG": str(config_file),
        "SPADE_TRAIN_OUTPUT": str(tmp_path / "run"),
        "SPADE_TRAIN_NODES": "1",
        "SPADE_TRAIN_PROCESSES": "2",
        "SPADE_TRAIN_RENDEZVOUS": f"127.0.0.1:{free_port()}",
        "SPADE_TRAIN_ID": "run",
        "SPADE_TRAIN_ADDRESS": "127.0.0.1",
        "SPADE_TRAIN_METRICS_PORT": str(free_port()),
        "JOB_COMPLETION_INDEX": "0",
    }


@pytest.fixture
def node(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Starts nodes of one run."""
    started: list[Node] = []

    def start(**changes: str) -> Node:
        started.append(Node({**environment, **changes}, tmp_path / f"node-{len(started)}.log"))
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture(scope="module")
def long_config(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 20 steps, so that there is time to disturb it, with a checkpoint after every fourth."""
    path = tmp_path_factory.mktemp("long") / "long.toml"
    text = config_file.read_text().replace("epochs = 2", "epochs = 5")
    path.write_text(text.replace("checkpoint = 6", "checkpoint = 8").replace("sample = 16", "sample = 1000"))
    return path


@pytest.fixture(scope="module")
def undisturbed(long_config: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The weights that the long run ends with."""
    folder = tmp_path_factory.mktemp("undisturbed")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "model_store.cli", "train"]
    arguments = ["--config", str(long_config), "-o", str(folder)]
    subprocess.run([*command, *arguments], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True)
    return weights(folder)


def weights(run: Path) -> dict[str, torch.Tensor]:
    last = max((run / "checkpoints").glob("step-*.pt"))
    state = torch.load(last, weights_only=True)
    assert state["position"]["step"] == 20
    return dict(state["networks"]["generator"])


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert [name for name, tensor in expected.items() if not torch.equal(found[name], tensor)] == []


def test_a_configuration_that_cannot_be_used_ends_the_job_at_the_first_try(
    node: Callable[..., Node], config_file: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(config_file.read_text().replace("batch_size = 2", "batch_size = 3"))
    failed = node(SPADE_TRAIN_CONFIG=str(wrong))
    assert failed.wait() == BAD_CONFIGURATION, failed.output
    assert "batch_size is 3; with 2 processes" in failed.output
    assert failed.output.count("Error: ") <= 2, "each process says it once, for none is started again"


def test_a_process_that_is_killed_is_started_again_in_place(
    node: Callable[..., Node], long_config: Path, undisturbed: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    running = node(SPADE_TRAIN_CONFIG=str(long_config))
    running.wait_for_step(5, tmp_path / "run")
    running.ranks()[1].kill()
    assert running.wait() == 0, running.output
    assert "goes on from" in running.output
    assert_same(weights(tmp_path / "run"), undisturbed)


def test_sigterm_saves_the_very_step_and_asks_to_be_started_again(
    node: Callable[..., Node],
    environment: dict[str, str],
    long_config: Path,
    undisturbed: dict[str, torch.Tensor],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stopped = node(SPADE_TRAIN_CONFIG=str(long_config))
    stopped.wait_for_step(5, tmp_path / "run")
    stopped.process.send_signal(signal.SIGTERM)
    assert stopped.wait() == STOPPED, stopped.output
    last = max((tmp_path / "run" / "checkpoints").glob("step-*.pt"))
    step = int(last.stem.removeprefix("step-"))
    assert f"stopped after step {step}, as wished" in stopped.output

    again = node(SPADE_TRAIN_CONFIG=str(long_config))
    assert again.wait() == 0, again.output
    assert f"goes on from {last}" in again.output
    assert_same(weights(tmp_path / "run"), undisturbed)

    second = {
        **environment,
        "SPADE_TRAIN_CONFIG": str(long_config),
        "SPADE_TRAIN_NODES": "2",
        "JOB_COMPLETION_INDEX": "1",
    }
    after = deploy.cluster.node.run_node(NodeSettings.from_environment(second), second)
    assert after == 0, "a node that comes back when the others have ended does not wait for them"
    assert "all has been done before" in capsys.readouterr().out


def test_a_node_that_is_drained_leaves_the_other_waiting_for_its_successor(
    node: Callable[..., Node], long_config: Path, undisturbed: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    two = {"SPADE_TRAIN_CONFIG": str(long_config), "SPADE_TRAIN_NODES": "2", "SPADE_TRAIN_PROCESSES": "1"}
    first, second = node(**two), node(**two, JOB_COMPLETION_INDEX="1")
    first.wait_for_step(5, tmp_path / "run")
    second.process.send_signal(signal.SIGTERM)
    assert second.wait() == STOPPED, second.output
    successor = node(**two, JOB_COMPLETION_INDEX="1")
    assert successor.wait() == 0, successor.output
    assert first.wait() == 0, first.output
    assert "stopped after step" in first.output + second.output
    assert_same(weights(tmp_path / "run"), undisturbed)


def test_nodes_that_wait_in_vain_for_another_are_not_taken_for_failed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    three = {**environment, "SPADE_TRAIN_NODES": "3", "SPADE_TRAIN_PROCESSES": "1"}
    waiting = []
    for index, patience in ((0, 8), (1, 60)):
        settings = NodeSettings.from_environment({**three, "JOB_COMPLETION_INDEX": str(index)})
        command = [word.replace("join_timeout=600", f"join_timeout={patience}") for word in torchrun_command(settings)]
        with (tmp_path / f"node-{index}.log").open("wb") as log:
            waiting.append(subprocess.Popen(command, env=three, stdout=log, stderr=subprocess.STDOUT))
    for index, process in enumerate(waiting):
        try:
            assert process.wait(DEADLINE_SECONDS) == ALONE, (tmp_path / f"node-{index}.log").read_text()
        finally:
            process.kill()


def test_a_node_that_waits_in_vain_for_the_first_is_not_taken_for_failed(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy.cluster.node, "JOIN_SECONDS", 0.1)
    second = {**environment, "SPADE_TRAIN_NODES": "2", "JOB_COMPLETION_INDEX": "1"}
    assert deploy.cluster.node.run_node(NodeSettings.from_environment(second), second) == ALONE
