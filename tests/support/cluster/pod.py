"""A pod: a command in namespaces of its own, as process 1 of them, which ends with the process that started it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local import tether
from support.cluster.network import Namespace
from support.waiting import wait_until

_SCRIPT = Path(__file__).with_name("pod.sh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """What a container sees at `target`: a folder or file of this machine, or memory of so many bytes."""

    source: Path | int
    target: str
    read_only: bool = False

    def arguments(self) -> list[str]:
        """For pod.sh."""
        return [str(self.source), self.target, "ro" if self.read_only else "rw"]


class Pod:
    """Started when it is made. It runs as the user of the tests, for the image's files may be that user's only."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        mounts: Sequence[Mount],
        namespace: Namespace,
        folder: Path,
    ) -> None:
        self.name = name
        self._namespace = namespace
        self.log = folder / "log"
        root = folder / "root"
        root.mkdir(parents=True)
        nsenter, *arguments = namespace.entering
        tied = [sys.executable, "-I", tether.__file__, str(os.getpid()), str(shutil.which(nsenter)), *arguments]
        apart = ["unshare", "--uts", "--ipc", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        mounted = [argument for mount in mounts for argument in mount.arguments()]
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [*tied, *apart, "sh", str(_SCRIPT), name, str(root), *mounted, "--", *command],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def exit_code(self) -> int | None:
        """None while any of its processes runs; 1 where a signal ended process 1, for unshare tells no more."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """A signal to process 1. With SIGKILL the kernel ends all processes of the pod."""
        outer = psutil.Process(self._process.pid)
        wait_until(lambda: outer.children() or self.exit_code() is not None, f"{self.name} runs")
        for first in outer.children():
            first.send_signal(number)

    def close(self) -> None:
        """End it, if it has not ended; its address is nobody's then."""
        if self.exit_code() is None:
            self.send(signal.SIGKILL)
        self._process.wait()
        self._namespace.close()

    def output(self) -> str:
        """What it has said so far."""
        return self.log.read_text(errors="replace")
