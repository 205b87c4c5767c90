"""Two nodes on one machine: the training Job that k8s/overlays/training-cpu renders, each pod a host of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spade.training.metrics_log import read_metrics
from support.checkpoints import state_of
from support.cluster.job import RunningJob
from support.cluster.manifest import JobManifest

ROOT = Path(__file__).parents[3]
LAST_STEP = 32
RUN_ENV = """
name=two-nodes
image=spade-train:0.1.0
nodes=2
failures=100
processes=1
data=
checkpoints=
model=
"""
RUN_TOML = f"""
batch_size = 4
workers = 0
device = "cpu"
[dataset]
mode = "scenes"
load_size = 64
crop_size = 64
max_dataset_size = {2 * LAST_STEP}
[generator]
base_channels = 2
hidden_channels = 4
[discriminator]
base_channels = 4
[ema]
estimation_batches = 2
[schedule]
epochs = 2
decay_epochs = 0
[intervals]
log = 4
checkpoint = 28
sample = 128
sample_pictures = 1
"""
"""Metrics of every step, a checkpoint every seven, and one more at the end."""

SECRETS = dict.fromkeys(("SPADE_S3_ENDPOINT", "SPADE_S3_ACCESS_KEY", "SPADE_S3_SECRET_KEY"), "unused")


@pytest.fixture(scope="session", autouse=True)
def _machine() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can make network namespaces, on Linux")
    for program in ("ip", "unshare", "nsenter", "kubectl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    tried = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"this machine gives no namespaces: {tried.stderr.decode().strip()}")


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], JobManifest]:
    """The Job of the overlay with what a person would change in it, and a configuration."""

    def rendered(configuration: str) -> JobManifest:
        folder = tmp_path_factory.mktemp("manifests") / "k8s"
        shutil.copytree(ROOT / "k8s", folder)
        overlay = folder / "overlays" / "training-cpu"
        (overlay / "run.env").write_text(RUN_ENV)
        (overlay / "run.toml").write_text(configuration)
        return JobManifest.rendered(overlay)

    return rendered


@pytest.fixture(scope="session")
def manifest(render: Callable[[str], JobManifest]) -> JobManifest:
    return render(RUN_TOML)


class Training:
    """A Job and what it writes."""

    def __init__(self, job: RunningJob) -> None:
        self.job = job
        self.results = job.shared / job.manifest.name

    @property
    def steps(self) -> list[int]:
        """Of which metrics are written."""
        return [line["step"] for line in read_metrics(self.results / "metrics.jsonl")]

    @property
    def output(self) -> str:
        """Of all pods so far."""
        return "".join(pod.output() for pod in self.job.started)

    def wait_for_step(self, step: int) -> int:
        """Until a step from `step` on is done; the last one that is."""
        self.job.wait_until(lambda: self.steps and self.steps[-1] >= step, f"step {step}")
        return self.steps[-1]

    def wait_for_the_end(self) -> dict[str, Any]:
        """Until the Job is complete; the last checkpoint."""
        self.job.wait_until(lambda: self.job.is_complete, "the Job is complete")
        return state_of(self.results)


@pytest.fixture
def training(manifest: JobManifest, tmp_path: Path) -> Iterator[Training]:
    with RunningJob(manifest, tmp_path / "job", uid=tmp_path.name, secrets=SECRETS) as job:
        yield Training(job)


@pytest.fixture(scope="session")
def undisturbed(manifest: JobManifest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The last checkpoint of a run on both nodes that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed") / "job"
    with RunningJob(manifest, folder, uid="undisturbed", secrets=SECRETS) as job:
        return Training(job).wait_for_the_end()


@pytest.fixture
def hopeless(render: Callable[[str], JobManifest], tmp_path: Path) -> Iterator[RunningJob]:
    """A Job whose batch two processes cannot share."""
    manifest = render(RUN_TOML.replace("batch_size = 4", "batch_size = 3"))
    with RunningJob(manifest, tmp_path / "job", uid=tmp_path.name, secrets=SECRETS) as job:
        yield job
