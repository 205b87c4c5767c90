"""One child process: started, asked whether it is ready, stopped.

server = RedisServer(folder=folder, port=free_port(), password="...")
with Child(server, log=folder / "redis.log") as child:   # started and ready
    ...server.url...
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.errors import ChildFailedError
from deploy.local import tether

_POLL_SECONDS = 0.02
_LOG_LINES = 8
_LOG_BYTES = 16 * 2**20


class Program(ABC):
    """What a child runs. The same program can be started many times, after a crash for instance."""

    ready_seconds: float = 30.0
    """How long it may take until it is ready."""
    grace_seconds: float = 10.0
    """How long it may take to stop by itself."""
    hung_seconds: float | None = None
    """Once it was ready: without an answer for so long it counts as hung; None: it is asked nothing while it runs."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Short and unique within a stack; names the log file."""

    @property
    def working_folder(self) -> Path | None:
        """Where it runs; None: where its log is."""
        return None

    @abstractmethod
    def command(self) -> list[str]:
        """Path of the program and its arguments; nothing secret, since other users can see it."""

    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """The whole environment of the process."""

    @abstractmethod
    def prepare(self) -> None:
        """Called before each start: folders, configuration files."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Asks the running process; False while it does not answer as it should."""

    def answers(self) -> bool:
        """Asks the running process whether it answers at all, be it that it is not well."""
        return self.is_ready()


class Child:
    """A process that runs a `Program`, its output appended to `log`.

    On Linux it dies with the *thread* that called `start`, so that thread has to outlive it.
    """

    def __init__(self, program: Program, *, log: Path) -> None:
        self.program = program
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    @property
    def pid(self) -> int | None:
        """Its process id, also when it has ended; None before the first start."""
        return self._process.pid if self._process else None

    @property
    def age_seconds(self) -> float:
        """Since its last start."""
        return time.monotonic() - self._started

    def start(self) -> None:
        """Start the process; it leads a process group of its own, so that Ctrl-C in a terminal does not reach it."""
        self.program.prepare()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".1.log"))
        command = [sys.executable, "-I", tether.__file__, str(os.getpid()), *self.program.command()]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=dict(self.program.environment()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.program.working_folder or self.log.parent,
            )
        self._started = time.monotonic()

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll() if self._process else None

    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def wait_ready(self, *, stop: threading.Event | None = None) -> None:
        """Wait until the program answers; returns early when `stop` is set.

        Raises `ChildFailedError` when it ends first or takes longer than `ready_seconds`.
        """
        stop = stop or threading.Event()
        deadline = time.monotonic() + self.program.ready_seconds
        while not stop.is_set():
            if not self.is_running():
                raise ChildFailedError(self._failure(f"ended with exit code {self.exit_code()} before it was ready"))
            if self.program.is_ready():
                return
            if time.monotonic() > deadline:
                raise ChildFailedError(self._failure(f"was not ready after {self.program.ready_seconds:g} s"))
            stop.wait(_POLL_SECONDS)

    def terminate(self) -> None:
        """SIGTERM: please stop."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """SIGKILL to the process and to what is left of its group."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, then SIGKILL once the program's grace is over."""
        self.terminate()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self.program.grace_seconds)
        self.kill()

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _failure(self, what: str) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        tail = " | ".join(line.strip() for line in lines[-_LOG_LINES:] if line.strip())
        return f"{self.program.name} {what}; its log {self.log} ends with: {tail or '(nothing)'}"
