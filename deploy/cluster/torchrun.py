"""torchrun as a child process: the flags that a node of a run needs, and an exit status that tells what came of it.

torchrun ends with 1 whatever the reason, and starts its processes anew whatever they ended with.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Final

from deploy.cluster.node_settings import NodeSettings
from deploy.cluster.rank import HOPELESS_SIGNAL, NODE_PROCESS
from spade.training.commands import EXIT_BAD_CONFIGURATION

EXIT_STOPPED: Final = 75
"""EX_TEMPFAIL: the run was told to stop, has saved, and goes on when it is started again."""
EXIT_ALONE: Final = 69
"""EX_UNAVAILABLE: the other nodes did not come, or are gone. That is no failure, however often it happens."""
SHUTDOWN_SECONDS: Final = 90
"""That processes have to save a checkpoint; a pod's grace period has to be longer."""

_RESTARTS: Final = 10
JOIN_SECONDS: Final = 600
"""That a node waits for the others, which may need machines of their own first."""


def torchrun_command(settings: NodeSettings) -> list[str]:
    """Trains on all processes of this node, together with the other nodes."""
    is_host = str(settings.is_first).lower()
    return [
        *(sys.executable, "-m", "deploy.cluster.launcher"),
        f"--nnodes={settings.nodes}",
        f"--nproc-per-node={settings.processes}",
        f"--max-restarts={_RESTARTS}",
        f"--shutdown-timeout={SHUTDOWN_SECONDS}",
        "--rdzv-backend=c10d",
        f"--rdzv-id={settings.run_id}",
        f"--rdzv-endpoint={settings.rendezvous}",
        f"--rdzv-conf=is_host={is_host},join_timeout={JOIN_SECONDS}",
        f"--local-addr={settings.address}",
        *("-m", "deploy.cluster.rank"),
        *("train", "--config", str(settings.config), "-o", str(settings.output)),
        *("--checkpoints", settings.checkpoints),
        *(("--dataroot", settings.dataroot) if settings.dataroot else ()),
        *(("--device", settings.device) if settings.device else ()),
        *("--metrics-port", str(settings.metrics_port)),
        *("--stopped-status", str(EXIT_STOPPED)),
    ]


def run_torchrun(command: list[str], environment: Mapping[str, str]) -> int:
    """Runs it to its end; returns the exit status of the node.

    0: training has come to its end. EXIT_BAD_CONFIGURATION: a process found a configuration or a dataset that cannot be
    used. EXIT_STOPPED: SIGTERM or SIGINT came, and was passed on. EXIT_ALONE: the other nodes did not come, or are
    gone. Else: what torchrun ended with.
    """
    child: subprocess.Popen[bytes] | None = None
    verdict: int | None = None

    def answer(number: int, _frame: FrameType | None) -> None:
        nonlocal verdict
        is_first = verdict is None
        verdict = EXIT_BAD_CONFIGURATION if number == HOPELESS_SIGNAL else verdict or EXIT_STOPPED
        if is_first and child is not None:  # a second one would end torchrun before its processes have saved
            child.terminate()

    with _answered(answer):
        child = subprocess.Popen(command, env={**environment, NODE_PROCESS: str(os.getpid())})
        if verdict is not None:  # came before there was a child
            child.terminate()
        status = child.wait()
    return status if verdict is None else verdict


@contextmanager
def _answered(answer: "signal._HANDLER") -> Iterator[None]:
    """Has `answer` called for the signals that end a run before its time."""
    before = {number: signal.signal(number, answer) for number in (signal.SIGTERM, signal.SIGINT, HOPELESS_SIGNAL)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
