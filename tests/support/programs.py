"""The console scripts, and processes that tests start, kill and look for."""

import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SPADE = Path(sys.executable).with_name("spade")
SPADE_SERVE = Path(sys.executable).with_name("spade-serve")


def is_gone(process: psutil.Process) -> bool:
    """Whether the process has ended; one that its parent has not waited for counts too."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


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
