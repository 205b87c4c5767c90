"""`spade-serve torchserve`."""

import os
import signal
import subprocess
import zipfile
from pathlib import Path

import httpx
import psutil
import pytest
import yaml
from click.testing import CliRunner

from deploy.cli import main
from deploy.local.ports import free_port
from deploy.torchserve.management import TorchServeManagement
from deploy.torchserve.server import TorchServe
from support.models import add_small_model
from support.programs import SPADE_SERVE, is_gone
from support.waiting import wait_until
from workers.torchserve_keys import TorchServeKey


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    add_small_model(tmp_path / "models", "small")
    return tmp_path / "models"


def test_an_archive_is_written_where_it_is_wanted(models_dir: Path, tmp_path: Path) -> None:
    command = ["torchserve", "archive", "small", "-o", str(tmp_path / "archives"), "--models-dir", str(models_dir)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0
    assert result.output == f"{tmp_path / 'archives' / 'small-1.mar'}\n"
    assert Path(result.output.strip()).exists()


def test_an_archive_computes_as_a_worker_of_the_environment_would(models_dir: Path, tmp_path: Path) -> None:
    command = ["torchserve", "archive", "small", "-o", str(tmp_path), "--models-dir", str(models_dir), "--threads", "2"]
    told = {"SPADE_COMPILE": "true", "SPADE_CACHE_BYTES": "0", "SPADE_THREADS": "1", "SPADE_BATCH_ITEMS": "3"}
    result = CliRunner().invoke(main, command, env={**told, "SPADE_ENGINE": "torchserve", "SPADE_DEVICE": "cpu"})
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(tmp_path / "small-1.mar") as archive:
        config = yaml.safe_load(archive.read("model-config.yaml"))
    handler = {"device": "cpu", "threads": 2, "precision": "float32", "compile": True, "cache_bytes": 0}
    assert (config["batchSize"], config["handler"]) == (3, handler)


def test_a_setting_that_cannot_be_is_told_by_its_name(models_dir: Path, tmp_path: Path) -> None:
    command = ["torchserve", "archive", "small", "-o", str(tmp_path), "--models-dir", str(models_dir)]
    result = CliRunner().invoke(main, command, env={"SPADE_CACHE_BYTES": "much"})
    assert (result.exit_code, result.output) == (
        1,
        "Error: SPADE_CACHE_BYTES is 'much'; it must be a whole number\n",
    )


def test_a_model_that_does_not_exist_is_refused_with_those_that_do(models_dir: Path) -> None:
    result = CliRunner().invoke(main, ["torchserve", "archive", "smal", "--models-dir", str(models_dir)])
    assert result.exit_code == 1
    assert "Error: there is no model 'smal'; there are: coco-stuff, landscape, small, street" in result.output


def test_a_running_torchserve_is_given_a_model_and_has_it_taken_away(
    server: TorchServe, management: TorchServeManagement, models_dir: Path
) -> None:
    where = ["--url", server.management_url, "--key-file", str(server.key_file)]
    packing = ["--model-store", str(server.archives), "--models-dir", str(models_dir), "--device", "cpu"]
    result = CliRunner().invoke(main, ["torchserve", "register", "small", *where, *packing])
    assert (result.exit_code, result.output) == (0, "TorchServe serves small@1\n")
    assert "small@1" in management.models()
    result = CliRunner().invoke(main, ["torchserve", "unregister", "small", *where])
    told = f"Error: TorchServe at {server.management_url} has no model 'small', NAME@VERSION; it has: "
    assert (result.exit_code, told in result.output, "small@1" in result.output) == (1, True, True)
    result = CliRunner().invoke(main, ["torchserve", "unregister", "small@1", *where])
    assert (result.exit_code, result.output) == (0, "TorchServe serves small@1 no longer\n")
    assert "small@1" not in management.models()
    result = CliRunner().invoke(main, ["torchserve", "unregister", "small@1", *where])
    assert result.exit_code == 1
    assert "has no model 'small@1', NAME@VERSION; it has: " in result.output


def test_a_torchserve_of_its_own_runs_until_it_is_told_to_stop(models_dir: Path, tmp_path: Path) -> None:
    folder, port, management_port = tmp_path / "ts", free_port(), free_port()
    ports = ["--port", str(port), "--management-port", str(management_port), "--metrics-port", str(free_port())]
    command = [SPADE_SERVE, "torchserve", "serve", "--folder", folder, *ports]
    chosen = {"SPADE_MODELS_DIR": str(models_dir), "SPADE_WORKER_MODELS": "small, absent", "SPADE_DEVICE": "cpu"}
    environment = {**os.environ, **chosen}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        try:
            told = []
            for line in process.stderr:
                told.append(line.strip())
                if line.startswith("TorchServe serves small@1"):
                    break
            assert f"SPADE_TORCHSERVE_URL=http://127.0.0.1:{port}" in told
            assert f"SPADE_TORCHSERVE_KEY_FILE={folder / 'key_file.json'}" in told
            header = {"Authorization": TorchServeKey(folder / "key_file.json", "inference").header()}
            assert httpx.get(f"http://127.0.0.1:{port}/ping", headers=header, trust_env=False).status_code == 200
            other = CliRunner().invoke(main, ["torchserve", "serve", "--folder", str(folder)])
            assert (other.exit_code, "is in use by another process" in other.output) == (1, True)
            family = psutil.Process(process.pid).children(recursive=True)
            assert len(family) == 2
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        assert process.returncode == 0
    wait_until(lambda: all(is_gone(one) for one in family), "TorchServe and its backend have ended")
