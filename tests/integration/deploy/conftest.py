"""The embedded stack as a person starts it: `spade-serve up` in a process of its own."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.client import SpadeClient
from deploy.cli import main
from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import ApiServer
from support.programs import SPADE_SERVE, Up, is_gone
from support.waiting import wait_until
from workers.redis_client import RedisClient
from workers.storage import ObjectStore


@pytest.fixture(scope="session")
def start_up(models_dir: Path) -> Callable[..., AbstractContextManager[Up]]:
    """A function that gives a context manager: `spade-serve up` with a state folder and SPADE_ settings."""

    @contextmanager
    def start(state: Path, **settings: str) -> Iterator[Up]:
        command = [SPADE_SERVE, "up", "--state", state]
        environment = {**os.environ, "SPADE_MODELS_DIR": str(models_dir), "SPADE_THREADS": "1", **settings}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            try:
                assert process.stdout is not None
                lines = []
                for line in process.stdout:
                    lines.append(line)
                    if "Ctrl-C" in line:
                        break
                introduction = "".join(lines)
                match = re.search(r"API +(http://127\.0\.0\.1:\d+)", introduction)
                assert match, introduction
                up = Up(process=process, state=state, url=match[1], introduction=introduction)
                family = up.family()
                yield up
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
                    process.wait(60)
        wait_until(lambda: all(is_gone(child) for child in family), "every process of the stack ended")

    return start


@pytest.fixture(scope="session")
def up(start_up: Callable[..., AbstractContextManager[Up]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack for all tests that do not end it."""
    with start_up(tmp_path_factory.mktemp("stack") / "state") as up:
        yield up


@pytest.fixture
def client(up: Up) -> Iterator[SpadeClient]:
    with SpadeClient(up.url) as client:
        yield client


@pytest.fixture
def run(
    service_environment: dict[str, str],
    objects: ObjectStore,  # noqa: ARG001 - empties the server
    redis_client: RedisClient,  # noqa: ARG001 - as above
) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a `spade-serve` command that ends by itself in this process, with the tests' Redis and object store."""

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        result = CliRunner().invoke(main, arguments, env={**service_environment, **environment})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def start(
    tmp_path: Path,
    service_environment: dict[str, str],
    objects: ObjectStore,  # noqa: ARG001 - empties the server
    redis_client: RedisClient,  # noqa: ARG001 - as above
) -> Iterator[Callable[..., Child]]:
    with ExitStack() as children:

        def start(**settings: str) -> Child:
            program = ApiServer(
                port=free_port(),
                metrics_folder=tmp_path / "metrics",
                service={**service_environment, **settings},
                processes=2,
            )
            return children.enter_context(Child(program, log=tmp_path / "api.log"))

        yield start
