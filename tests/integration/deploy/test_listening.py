"""Where the API listens: with keys for everybody, without any for this machine alone."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import free_port
from deploy.local.services import answers
from support.keys import make_key
from support.programs import SPADE_SERVE
from support.waiting import wait_until
from workers.storage import ObjectStore

ENTRY = ("api.wsgi:app", "--config", "python:deploy.gunicorn_config")


def ended(command: list[str | Path], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """A process of its own, which serves for ever where it is not refused."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - refused
def test_without_keys_the_api_refuses_to_listen_for_others(
    service_environment: dict[str, str], objects: ObjectStore, host: str
) -> None:
    done = ended([SPADE_SERVE, "api", "--host", host, "--port", str(free_port())], service_environment)
    assert list(objects.keys("")) == []
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"Error: '{host}' would open the service to others, and it has no API keys; make one by `spade-serve keys "
        "create`, or serve 127.0.0.1"
    ]


def test_so_it_does_when_gunicorn_is_started_by_itself(
    service_environment: dict[str, str], objects: ObjectStore
) -> None:
    done = ended([SPADE_SERVE.with_name("gunicorn"), *ENTRY, "--bind", f"0.0.0.0:{free_port()}"], service_environment)
    assert done.returncode != 0
    assert "Listening" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "Error" in line]
    assert line.startswith("Error: '0.0.0.0' would open the service to others")
    assert list(objects.keys("")) == []


def test_while_the_object_store_is_away_nobody_can_say_that_there_are_keys(
    service_environment: dict[str, str], objects: ObjectStore
) -> None:
    make_key(objects)
    settings = {**service_environment, "SPADE_S3_ENDPOINT": "127.0.0.1:9"}
    done = ended([SPADE_SERVE, "api", "--host", "0.0.0.0", "--port", str(free_port())], settings)  # noqa: S104
    assert done.returncode == 1
    assert "whether it has API keys cannot be told" in done.stderr


def test_with_keys_even_revoked_ones_it_listens_and_asks_everybody(
    service_environment: dict[str, str], objects: ObjectStore, run: Callable[..., object]
) -> None:
    run("keys", "revoke", make_key(objects).record.id)
    port = free_port()
    command = [SPADE_SERVE, "api", "--host", "0.0.0.0", "--port", str(port), "--processes", "1"]  # noqa: S104
    with subprocess.Popen(command, env=service_environment, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(f"{url}/livez"), "the API answers")
            assert httpx.get(f"{url}/v1/jobs").status_code == httpx.codes.UNAUTHORIZED
        finally:
            process.terminate()
            process.wait(60)
