"""`spade-serve exporter`: figures of the queue and of disks, whether or not Redis is there."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.servers import RedisServer
from support.jobs import job_spec
from support.programs import SPADE_SERVE
from support.waiting import wait_until
from workers.job_store import JobStore
from workers.redis_client import connect
from workers.settings import QueueSettings


@contextmanager
def running(command: list[str | Path], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def samples(url: str) -> dict[tuple[str, ...], float]:
    page = httpx.get(f"{url}/metrics").text
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_it_tells_the_queue_and_disks_and_stays_while_redis_is_away(tmp_path: Path) -> None:
    server = RedisServer(folder=tmp_path / "redis", port=free_port(), password="secret")
    url = f"http://127.0.0.1:{free_port()}"
    command = [SPADE_SERVE, "exporter", "--port", url.rpartition(":")[2], "--disk", tmp_path]
    with (
        Child(server, log=tmp_path / "redis.log") as redis,
        running(command, {**os.environ, "SPADE_REDIS_URL": server.url}) as exporter,
    ):
        JobStore(connect(server.url), QueueSettings()).submit(job_spec("j", 3))
        wait_until(lambda: answers(url), "the exporter is ready")
        told = samples(url)
        assert told["spade_queue_up",] == 1
        assert told["spade_items_total", "landscape", "", "accepted"] == 3
        assert told["spade_items_total", "landscape", "poison", "failed"] == 0
        assert told["spade_jobs_total", "landscape", "failed"] == 0
        assert told["spade_queue_workers", "gone"] == 0
        assert told["spade_disk_size_bytes", str(tmp_path)] > told["spade_disk_free_bytes", str(tmp_path)] > 0
        assert "secret" not in " ".join(psutil.Process(exporter.pid).cmdline())
        redis.kill()
        away = samples(url)
        assert away["spade_queue_up",] == 0
        assert ("spade_queue_open_items",) not in away
    assert exporter.returncode == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def test_a_port_that_is_taken_and_an_address_that_is_none_are_told_in_a_line() -> None:
    port = free_port()
    environment = {**os.environ, "SPADE_REDIS_URL": "redis://127.0.0.1:9/0"}
    with running([SPADE_SERVE, "exporter", "--port", str(port)], environment):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}"), "the exporter is ready")
        second = subprocess.run(
            [SPADE_SERVE, "exporter", "--port", str(port)], env=environment, capture_output=True, text=True, check=False
        )
    assert (second.returncode, second.stderr) == (
        1,
        f"Error: metrics cannot be served at 127.0.0.1:{port}: Address already in use\n",
    )
    nowhere = subprocess.run([SPADE_SERVE, "exporter", "--disk", "/no/such"], env=environment, check=False)
    assert nowhere.returncode == 2
    bad = subprocess.run(
        [SPADE_SERVE, "exporter", "--redis-url", "nonsense"], capture_output=True, text=True, check=False
    )
    assert bad.returncode == 1
    assert bad.stderr.startswith("Error: the address of the job store cannot be used: ")
