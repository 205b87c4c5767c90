"""`spade-serve api` and `spade-serve worker`, each alone, told everything by its environment."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import free_port
from deploy.local.services import answers
from support.programs import SPADE_SERVE
from support.waiting import wait_until

# No keys of other tests, which would shut these out.
pytestmark = pytest.mark.usefixtures("objects")


@contextmanager
def spade_serve(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [SPADE_SERVE, *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def test_the_api_alone_serves(service_environment: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with spade_serve(service_environment, "api", "--port", url.rpartition(":")[2], "--processes", "1") as process:
        wait_until(lambda: answers(f"{url}/readyz"), "the API is ready")
        assert process.poll() is None
        assert "landscape" in httpx.get(f"{url}/v1/models").text


def test_counters_of_an_earlier_api_are_forgotten(service_environment: dict[str, str], tmp_path: Path) -> None:
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    (metrics / "counter_1.db").write_bytes(b"left behind")
    (metrics / "not-ours.txt").touch()
    url = f"http://127.0.0.1:{free_port()}"
    environment = {**service_environment, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    with spade_serve(environment, "api", "--port", url.rpartition(":")[2], "--processes", "1"):
        wait_until(lambda: answers(f"{url}/readyz"), "the API is ready")
        assert answers(f"{url}/metrics")
    assert not (metrics / "counter_1.db").exists()
    assert (metrics / "not-ours.txt").exists()


def test_a_worker_alone_serves_its_probes(service_environment: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with spade_serve({**service_environment, "SPADE_WORKER_PORT": url.rpartition(":")[2]}, "worker"):
        wait_until(lambda: answers(f"{url}/readyz"), "the worker is ready")
        assert answers(f"{url}/livez")
        assert answers(f"{url}/metrics")
