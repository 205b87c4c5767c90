"""A client that submits while the service under it is killed gets its job, and once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from api.client import SpadeClient
from api.parameters import JobParameters
from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import ApiServer
from support.waiting import wait_until
from workers.job_reader import JobReader
from workers.messages import State

RESERVED = "{spade}:reserved:*"


@pytest.fixture
def server(tmp_path, service_environment, redis_client, objects):  # noqa: ARG001 - both empty their server
    program = ApiServer(port=free_port(), metrics_folder=tmp_path / "metrics", service=service_environment, processes=1)
    with Child(program, log=tmp_path / "api.log") as child:
        yield child


@pytest.fixture
def label_maps(tmp_path, label_map):
    paths = [tmp_path / f"{index}.png" for index in range(200)]
    for path in paths:
        path.write_bytes(label_map)
    return paths


def only_job(reader: JobReader):
    [job] = reader.jobs("local")
    return job


def test_a_submission_that_is_killed_while_it_stores_is_made_by_its_repetition(
    server, redis_client, reader, label_maps
):
    with SpadeClient(server.program.url) as client, ThreadPoolExecutor(1) as pool:
        submitted = pool.submit(client.submit, label_maps, JobParameters(model="landscape"))
        wait_until(lambda: list(redis_client.scan_iter(RESERVED)), "the first request stores its label maps")
        server.kill()
        assert not submitted.done()
        for key in redis_client.scan_iter(RESERVED):
            redis_client.pexpire(key, 1000)  # a stand-in for waiting
        server.start()
        job = submitted.result(60)
    assert only_job(reader).id == job.id
    assert job.counts.total == reader.stats().open_items == len(label_maps)


def test_a_submission_whose_answer_was_lost_is_answered_by_its_repetition(server, reader, label_maps):
    with SpadeClient(server.program.url) as client, ThreadPoolExecutor(1) as pool:
        submitted = pool.submit(client.submit, label_maps, JobParameters(model="landscape"))
        wait_until(lambda: reader.stats().open_items, "the job is queued")
        server.kill()
        server.start()
        job = submitted.result(60)
    assert only_job(reader).id == job.id
    assert job.state is State.QUEUED
    assert reader.stats().open_items == len(label_maps)


def test_calls_with_the_same_key_make_one_job(server, label_maps):
    with SpadeClient(server.program.url) as client:
        made = {
            client.submit(label_maps[:1], JobParameters(model="landscape"), idempotency_key=key).id
            for key in ("a", "a", "b")
        }
    assert len(made) == 2
