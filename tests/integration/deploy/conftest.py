"""The embedded stack as a person starts it: `spade-serve up` in a process of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from api.client import SpadeClient

Until = Callable[..., None]
SERVE = Path(sys.executable).with_name("spade-serve")


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 60.0) -> None:
    """Wait for `condition`, asking often; fails after `seconds`."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        pause.wait(0.02)
    pytest.fail(f"not within {seconds} s: {what}")


@pytest.fixture(scope="session")
def until() -> Until:
    return wait_until


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the weights are drawn, once for all tests; not kept, since they are large."""
    folder = tmp_path_factory.mktemp("models")
    yield folder
    shutil.rmtree(folder)


@dataclass(frozen=True, kw_only=True)
class Up:
    """A `spade-serve up` that is ready."""

    process: subprocess.Popen[str]
    state: Path
    url: str
    introduction: str

    def family(self) -> list[psutil.Process]:
        """Every process that it started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, word: str) -> psutil.Process | None:
        """The process directly below it whose command line has `word`, as soon as it has become that command."""
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                command = child.cmdline()
                if any(word in argument for argument in command) and "tether" not in " ".join(command):
                    return child
        return None

    def end(self, number: int) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="session")
def start_up(models_dir: Path) -> Callable[..., AbstractContextManager[Up]]:
    """A function that gives a context manager: `spade-serve up` with a state folder and SPADE_ settings."""

    @contextmanager
    def start(state: Path, **settings: str) -> Iterator[Up]:
        command = [SERVE, "up", "--state", state]
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
