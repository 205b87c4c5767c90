"""A client that follows a job while the service under it is restarted, and streams that end with their process."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.client import SpadeClient
from api.client_errors import ClientError
from api.parameters import JobParameters
from api.services import MAX_EVENT_STREAMS
from deploy import gunicorn_config
from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import ApiServer
from support.waiting import wait_until
from workers.messages import State


@pytest.fixture
def server(tmp_path, service_environment, redis_client, objects):  # noqa: ARG001 - both empty their server
    program = ApiServer(port=free_port(), metrics_folder=tmp_path / "metrics", service=service_environment, processes=1)
    with Child(program, log=tmp_path / "api.log") as child:
        yield child


@pytest.fixture
def client(server):
    with SpadeClient(server.program.url) as client:
        yield client


@pytest.fixture
def job_id(client, tmp_path, label_map):
    path = tmp_path / "map.png"
    path.write_bytes(label_map)
    return client.submit([path] * 3, JobParameters(model="landscape")).id


def test_a_client_follows_a_job_through_restarts_of_the_service(server, client, job_id, work):
    done: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        followed = pool.submit(client.follow, job_id, on_change=lambda job: done.append(job.counts.succeeded))
        for count in (0, 1, 2):
            wait_until(lambda count=count: count in done, f"the client knows of {count} pictures")
            if count == 1:
                server.stop()
            elif count == 2:
                server.kill()
            work(1)
            if count:
                server.start()
        job = followed.result(60)
    assert job.state is State.SUCCEEDED
    assert done == sorted(done)


def test_a_process_that_is_told_to_end_closes_its_streams_at_once(server, client, job_id):
    heard: list[str] = []

    def listen() -> list[str]:
        kinds = []
        for event in client.events(job_id):
            kinds.append(event.kind)
            heard.append(event.kind)
        return kinds

    with ThreadPoolExecutor(MAX_EVENT_STREAMS) as pool:
        streams = [pool.submit(listen) for _ in range(MAX_EVENT_STREAMS)]
        wait_until(lambda: heard.count("progress") == MAX_EVENT_STREAMS, "every stream has told the job")
        with pytest.raises(ClientError, match="doing as much as it can"):
            next(client.events(job_id))
        assert client.job(job_id).state is State.QUEUED
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < gunicorn_config.graceful_timeout
        assert [stream.result(10) for stream in streams] == [["state", "progress"]] * MAX_EVENT_STREAMS
