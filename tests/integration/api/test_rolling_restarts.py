"""The API's processes replaced by others (gunicorn's HUP) while clients submit and read: none of them sees an error."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from api.client import SpadeClient
from api.parameters import JobParameters
from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import ApiServer
from support.programs import is_gone
from support.waiting import wait_until

CLIENTS, RESTARTS = 3, 2


@pytest.fixture
def server(tmp_path, service_environment, redis_client, objects):  # noqa: ARG001 - both empty their server
    program = ApiServer(port=free_port(), metrics_folder=tmp_path / "metrics", service=service_environment)
    with Child(program, log=tmp_path / "api.log") as child:
        yield child


def submit_until(stop: threading.Event, url: str, label_map: Path) -> list[str]:
    """Ids of the jobs that one client was promised. Raises what it is told."""
    promised = []
    with SpadeClient(url) as client:
        while not stop.is_set():
            promised.append(client.submit([label_map], JobParameters(model="landscape")).id)
            assert client.job(promised[-1]).id == promised[-1]
    return promised


def test_a_rolling_restart_loses_no_request(server, tmp_path, label_map):
    path = tmp_path / "map.png"
    path.write_bytes(label_map)
    stop = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(submit_until, stop, server.program.url, path) for _ in range(CLIENTS)]
        try:
            for _ in range(RESTARTS):
                processes = psutil.Process(server.pid).children()
                os.kill(server.pid, signal.SIGHUP)
                wait_until(lambda old=processes: all(map(is_gone, old)), "the old processes ended")
        finally:
            stop.set()
        promised = [job_id for client in clients for job_id in client.result()]
    assert len(set(promised)) == len(promised) > 0
    with SpadeClient(server.program.url) as client:
        assert {client.job(job_id).id for job_id in promised} == set(promised)
