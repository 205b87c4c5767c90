"""`spade-serve up`: the whole stack, its children killed, stopped and started again."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from api.client import SpadeClient
from api.parameters import JobParameters
from deploy.cli import main
from deploy.examples import example_label_maps
from deploy.local.programs import has_prometheus
from deploy.local.services import answers
from deploy.store_access import service_settings
from support.keys import make_key
from support.programs import SPADE_SERVE, Up, is_gone
from support.waiting import wait_until
from workers.messages import State
from workers.storage import ObjectStore

StartUp = Callable[..., AbstractContextManager[Up]]
BEACH = example_label_maps()[0].path
LANDSCAPE = JobParameters(model="landscape", seed=1)


def test_the_curl_that_it_shows_makes_a_picture(up: Up) -> None:
    command = up.introduction.partition("another terminal:\n")[2].partition("  spade-serve submit")[0]
    answer = subprocess.run(command, shell=True, capture_output=True, check=True)  # noqa: S602 - as a person does
    assert b'"state":"succeeded"' in answer.stdout
    assert httpx.get(f"{up.url}/docs").status_code == 200


@pytest.mark.skipif(not has_prometheus(), reason="this machine has no Prometheus")
def test_it_says_how_prometheus_gets_a_key_where_the_api_asks_for_one(start_up: StartUp, tmp_path: Path) -> None:
    state = tmp_path / "state"
    doctor = ["doctor", "--json", "--state", str(state)]
    told = "the API has keys, and Prometheus gets no metrics of it"
    with start_up(state) as up:
        assert told not in up.introduction
        make_key(ObjectStore(service_settings(state).storage), "jobs")
        # Each process of the API learns of the key by itself, and doctor asks whichever answers.
        wait_until(lambda: told in CliRunner().invoke(main, doctor).output, "doctor tells of the missing key")
    with start_up(state) as up:
        warning = up.introduction.partition("Warning: ")[2]
        assert warning.startswith(f"{told}: {state}/prometheus/metrics-key is not there; make one")
        command = warning.partition("then start again: ")[2].splitlines()[0]
        found = {"env": {**os.environ, "PATH": f"{SPADE_SERVE.parent}:{os.environ['PATH']}"}}
        subprocess.run(command, shell=True, check=True, **found)  # noqa: S602 - as a person does
        assert told not in CliRunner().invoke(main, doctor).output
    with start_up(state) as up:
        assert "Warning" not in up.introduction


def test_a_second_stack_on_the_same_state_is_refused(up: Up) -> None:
    result = CliRunner().invoke(main, ["up", "--state", str(up.state)])
    assert result.exit_code == 1
    assert (
        f"Error: a stack is already running on {up.state}: process {up.process.pid}, {up.url}; use that one"
        in result.output
    )


def test_its_logs_and_its_metrics_are_in_the_state_folder(up: Up) -> None:
    logs = {path.name for path in (up.state / "logs").glob("*.log")}
    watching = {"exporter.log", "prometheus.log"} if has_prometheus() else {"exporter.log"}
    assert logs == {"api.log", "redis.log", "s3.log", "worker-1.log"} | watching
    assert "spade_api_requests_total" in httpx.get(f"{up.url}/metrics").text
    assert list((up.state / "metrics").iterdir())


@pytest.mark.parametrize("word", ["gunicorn", "celery", "rclone", "valkey-server"])
def test_a_part_that_is_killed_comes_back_and_the_service_goes_on(up: Up, client: SpadeClient, word: str) -> None:
    before = client.follow(client.submit([BEACH], LANDSCAPE).id)
    picture = client.picture(before.items[0])
    victim = up.child(word)
    victim.kill()
    wait_until(lambda: up.child(word) not in (None, victim), f"another {word}")
    wait_until(lambda: answers(f"{up.url}/readyz"), "the API is ready")
    after = client.follow(client.submit([BEACH], LANDSCAPE).id)
    assert client.job(before.id).state is State.SUCCEEDED
    assert client.picture(before.items[0]) == client.picture(after.items[0]) == picture


def test_after_everything_was_killed_the_next_start_has_all_jobs_and_ctrl_c_stops_everything(
    start_up: StartUp, tmp_path: Path
) -> None:
    short_lease = {"SPADE_LEASE_SECONDS": "2"}  # how long what the dead worker held is out of reach
    with start_up(tmp_path / "state", **short_lease) as up, SpadeClient(up.url) as client:
        url = up.url
        job = client.submit([BEACH], LANDSCAPE.model_copy(update={"variations": 2}))
        family = up.family()
        up.end(signal.SIGKILL)
        wait_until(lambda: all(is_gone(process) for process in family), "the children died with their supervisor")
    with start_up(tmp_path / "state", **short_lease) as up, SpadeClient(up.url) as client:
        assert up.url == url
        finished = client.follow(job.id)
        assert finished.state is State.SUCCEEDED
        assert len({client.picture(item) for item in finished.items}) == 2
        family = up.family()
        assert len(family) >= 4
        assert up.end(signal.SIGINT) == 0
        assert all(is_gone(process) for process in family)


def test_a_worker_that_is_told_to_stop_holds_nothing_back(start_up: StartUp, tmp_path: Path) -> None:
    # With such a lease the job can end only if the first worker finished or gave back all that it had taken.
    settings = {"SPADE_LEASE_SECONDS": "1000", "SPADE_BATCH_ITEMS": "1"}
    with start_up(tmp_path / "state", **settings) as up, SpadeClient(up.url) as client:
        job = client.submit([BEACH], LANDSCAPE.model_copy(update={"variations": 3}))
        wait_until(lambda: client.job(job.id).counts.running > 0, "the worker has begun")
        assert up.end(signal.SIGTERM) == 0
    with start_up(tmp_path / "state", **settings) as up, SpadeClient(up.url) as client:
        assert client.follow(job.id).state is State.SUCCEEDED
