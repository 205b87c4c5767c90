"""`spade-serve api` and `spade-serve worker`, each alone, told everything by its environment."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import free_port
from workers.settings import StorageSettings

Until = Callable[..., None]


@pytest.fixture
def environment(redis_url: str, s3: StorageSettings, models_dir: Path, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "SPADE_REDIS_URL": redis_url,
        "SPADE_S3_ENDPOINT": s3.endpoint,
        "SPADE_S3_ACCESS_KEY": s3.access_key,
        "SPADE_S3_SECRET_KEY": s3.secret_key,
        "SPADE_MODELS_DIR": str(models_dir),
        "TMPDIR": str(tmp_path),
    }


@contextmanager
def spade_serve(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [Path(sys.executable).with_name("spade-serve"), *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def test_the_api_alone_serves(environment: dict[str, str], until: Until) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with spade_serve(environment, "api", "--port", url.rpartition(":")[2], "--processes", "1") as process:
        until(lambda: answers(f"{url}/readyz"), "the API is ready")
        assert process.poll() is None
        assert "landscape" in httpx.get(f"{url}/v1/models").text


def test_counters_of_an_earlier_api_are_forgotten(environment: dict[str, str], tmp_path: Path, until: Until) -> None:
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    (metrics / "counter_1.db").write_bytes(b"left behind")
    (metrics / "not-ours.txt").touch()
    url = f"http://127.0.0.1:{free_port()}"
    environment = {**environment, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    with spade_serve(environment, "api", "--port", url.rpartition(":")[2], "--processes", "1"):
        until(lambda: answers(f"{url}/readyz"), "the API is ready")
        assert answers(f"{url}/metrics")
    assert not (metrics / "counter_1.db").exists()
    assert (metrics / "not-ours.txt").exists()


def test_a_worker_alone_serves_its_probes(environment: dict[str, str], until: Until) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with spade_serve({**environment, "SPADE_WORKER_PORT": url.rpartition(":")[2]}, "worker"):
        until(lambda: answers(f"{url}/readyz"), "the worker is ready")
        assert answers(f"{url}/livez")
        assert answers(f"{url}/metrics")
