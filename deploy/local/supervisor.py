"""Keeps child processes alive: starts them stage by stage, restarts the dead and hung, stops all in reverse order."""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress

from deploy.errors import DeployError
from deploy.local.child import Child
from deploy.local.pulse import Pulse

_WATCH_SECONDS = 0.1
_FIRST_DELAY_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
"""Before a child that keeps dying is started again."""
_STEADY_SECONDS = 30.0
"""A child that lived this long before it died is restarted at once, as after its first death."""


class Supervisor:
    """Runs `stages` of children: a stage is started when all of the one before are ready.

    `run` does everything in the thread that calls it, which must outlive the children (see `Child`); `stop` may be
    called from any thread, but not from a signal handler, since it takes a lock.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[Child]],
        *,
        report: Callable[[str], None],
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self._stages = stages
        self._report = report
        self._restarts = [_Restart(child, report, longest_pause_seconds) for stage in stages for child in stage]
        self._stopping = threading.Event()
        self._hurried = threading.Event()

    @property
    def children(self) -> list[Child]:
        """All of them, in the order of their start."""
        return [child for stage in self._stages for child in stage]

    def stop(self) -> None:
        """Ask for an orderly end; asked a second time, children are killed rather than waited for."""
        if self._stopping.is_set():
            self._hurried.set()
        self._stopping.set()

    def run(self, *, on_ready: Callable[[], None]) -> None:
        """Start everything, call `on_ready`, watch until `stop`, then stop everything.

        Raises `ChildFailedError` when a child does not get ready at the first start; everything is stopped then too.
        """
        try:
            for stage in self._stages:
                self._start_stage(stage)
            if not self._stopping.is_set():
                on_ready()
            with ExitStack() as pulses:
                for restart in self._restarts:
                    pulses.enter_context(restart.feeling_pulse())
                while not self._stopping.wait(_WATCH_SECONDS):
                    for restart in self._restarts:
                        restart.look_after()
        finally:
            for stage in reversed(self._stages):
                self._stop_stage(stage)

    def _start_stage(self, stage: Sequence[Child]) -> None:
        for child in stage:
            if not self._stopping.is_set():
                child.start()
        for child in stage:
            if not self._stopping.is_set():
                child.wait_ready(stop=self._stopping)

    def _stop_stage(self, stage: Sequence[Child]) -> None:
        for child in stage:
            child.terminate()
        started = time.monotonic()
        for child in stage:
            deadline = started + child.program.grace_seconds
            while child.is_running() and time.monotonic() < deadline and not self._hurried.wait(_WATCH_SECONDS / 4):
                pass
            if child.is_running():
                self._report(f"{child.program.name} did not stop in time and was killed")
            child.kill()


class _Restart:
    """Starts one child again whenever it is found dead or hung, later each time that this is soon after a start."""

    def __init__(self, child: Child, report: Callable[[str], None], longest_pause_seconds: float) -> None:
        self._child = child
        self._report = report
        self._longest_pause_seconds = longest_pause_seconds
        self._delay_seconds = _FIRST_DELAY_SECONDS
        self._due: float | None = None
        hung_seconds = child.program.hung_seconds
        self._pulse = None if hung_seconds is None else Pulse(child, hung_seconds=hung_seconds)

    def feeling_pulse(self) -> AbstractContextManager[object]:
        """While the body runs, a child that can be asked is asked whether it hangs."""
        return nullcontext() if self._pulse is None else self._pulse.felt()

    def look_after(self) -> None:
        now = time.monotonic()
        ended = None
        if not self._child.is_running():
            ended = _how_it_ended(self._child.exit_code())
        elif self._pulse is not None and self._pulse.is_lost:
            ended = f"has not answered for {self._pulse.hung_seconds:g} s"
        if ended is None:
            return
        if self._due is None:
            self._child.kill()  # also whatever is left of its process group, which may hold its port
            if self._child.age_seconds > _STEADY_SECONDS:
                self._delay_seconds = _FIRST_DELAY_SECONDS
            self._plan(now, ended)
        elif now >= self._due:
            self._start(now)

    def _start(self, now: float) -> None:
        try:
            self._child.start()
        except (OSError, DeployError) as error:  # a full disk, say; the other children go on meanwhile
            self._plan(now, f"could not be started ({error})")
        else:
            self._due = None

    def _plan(self, now: float, what_happened: str) -> None:
        event = f"{self._child.program.name} {what_happened}; it is started again in {self._delay_seconds:g} s"
        with suppress(OSError):  # what is told may go to the same full disk
            self._report(event)
        self._due = now + self._delay_seconds
        self._delay_seconds = min(2 * self._delay_seconds, self._longest_pause_seconds)


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"
