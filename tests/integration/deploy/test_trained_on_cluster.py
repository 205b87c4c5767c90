"""From a command to pictures: the rendered run trains, its model comes to the object store, a worker serves it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from api.client import SpadeClient
from api.parameters import JobParameters
from deploy.local.ports import free_port
from deploy.local.state import StateFolder
from support.cluster.manifest import JobManifest, PodFacts
from support.programs import SPADE_SERVE, Up

CONFIG = """
batch_size = 4
workers = 0
device = "cpu"
[dataset]
mode = "scenes"
load_size = 64
crop_size = 64
max_dataset_size = 8
[generator]
base_channels = 2
hidden_channels = 4
[discriminator]
base_channels = 4
[ema]
estimation_batches = 2
[schedule]
epochs = 1
decay_epochs = 0
[intervals]
sample_pictures = 1
"""


def on_this_machine(value: str, folders: Mapping[str, Path]) -> str:
    """A path in a volume, as one in the folder that stands for it; all else as it is."""
    for target, folder in folders.items():
        if value == target or value.startswith(f"{target}/"):
            return f"{folder}{value.removeprefix(target)}"
    return value


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl on PATH")
def test_a_run_by_its_manifest_becomes_a_model_that_is_served(
    up: Up, client: SpadeClient, models_dir: Path, tmp_path: Path
) -> None:
    def serve(*arguments: str | Path) -> str:
        command = [SPADE_SERVE, *arguments]
        environment = {**os.environ, "SPADE_MODELS_DIR": str(models_dir)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    config = tmp_path / "tiny.toml"
    config.write_text(CONFIG)
    run = ("--name", "tiny", "--config", config, "--kind", "cpu", "--nodes", "1", "--gpus", "2")
    manifests = serve("k8s", "train", *run, "--checkpoints", "s3://spade/runs/tiny")
    job = JobManifest.among(list(yaml.safe_load_all(manifests)))

    stack = StateFolder(up.state).read_config()
    assert stack is not None
    facts = PodFacts(
        index=0,
        address="127.0.0.1",
        labels={"batch.kubernetes.io/job-name": "tiny", "batch.kubernetes.io/controller-uid": "uid"},
        secrets={
            "SPADE_S3_ENDPOINT": f"127.0.0.1:{stack.s3_port}",
            "SPADE_S3_ACCESS_KEY": stack.s3_access_key,
            "SPADE_S3_SECRET_KEY": stack.s3_secret_key,
        },
    )
    folders = {
        mount.target: mount.source
        for mount in job.mounts(of_pod=tmp_path / "pod", shared=tmp_path / "claims")
        if isinstance(mount.source, Path)
    }
    told = {name: on_this_machine(value, folders) for name, value in job.environment(facts).items()}
    here = {"SPADE_TRAIN_RENDEZVOUS": f"127.0.0.1:{free_port()}", "SPADE_TRAIN_METRICS_PORT": str(free_port())}
    program, *arguments = job.command
    assert program == "python"
    command, environment = [sys.executable, *arguments], {**os.environ, **told, **here}
    trained = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.endswith("tiny@1 is in the object store\n")

    assert serve("models", "pull", "tiny", "--state", up.state) == "tiny@1 is added\n"
    try:
        assert "tiny@1" in serve("models", "list", "--url", up.url)
        label_map = tmp_path / "map.png"
        Image.fromarray(np.full((64, 64), 3, dtype=np.uint8)).save(label_map)
        served = client.follow(client.submit([label_map], JobParameters(model="tiny", seed=7)).id)
        assert served.items[0].state == "succeeded"
        assert client.picture(served.items[0])[:4] == b"\x89PNG"
    finally:
        serve("models", "remove", "tiny@1")
