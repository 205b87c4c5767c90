"""Whether a child that runs still answers: one that hangs does not end by itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from deploy.local.child import Child
from workers.periodic import Periodic

_ASK_SECONDS: Final = 1.0
_FEWEST_QUESTIONS: Final = 3
"""In a row without an answer before a child counts as hung: one may meet a thread of it that is at work."""


class Pulse:
    """Asks a child again and again, in a thread of its own: an answer may be long in coming, and others are watched."""

    def __init__(self, child: Child, *, hung_seconds: float) -> None:
        self._child = child
        self._hung_seconds = hung_seconds
        self._pid: int | None = None
        self._answered = False
        self._silent_since: float | None = None
        self._unanswered = 0
        self._hung_pid: int | None = None
        self._asking = Periodic(f"pulse of {child.program.name}", self._ask, interval_seconds=_ASK_SECONDS)

    @property
    def hung_seconds(self) -> float:
        """Without an answer, after which a child counts as hung."""
        return self._hung_seconds

    @property
    def is_lost(self) -> bool:
        """Whether the process that runs now hangs: it had answered and does so no longer, or did not get ready."""
        return self._hung_pid is not None and self._hung_pid == self._child.pid

    @contextmanager
    def felt(self) -> Iterator[None]:
        """Asks while the body runs, from when the child has got ready."""
        self._pid, self._answered = self._child.pid, True
        self._asking.start()
        try:
            yield
        finally:
            self._asking.stop()

    def _ask(self) -> None:
        """What counts is the time between questions that were not answered: who asks may have been stopped too."""
        pid, began = self._child.pid, time.monotonic()
        if pid != self._pid:
            self._pid, self._answered, self._silent_since, self._unanswered = pid, False, None, 0
        if self._child.program.answers():
            self._answered, self._silent_since, self._unanswered = True, None, 0
            return
        self._unanswered += 1
        self._silent_since = began if self._silent_since is None else self._silent_since
        bound = self._hung_seconds if self._answered else self._child.program.ready_seconds + self._hung_seconds
        if self._unanswered >= _FEWEST_QUESTIONS and time.monotonic() - self._silent_since >= bound:
            self._hung_pid = pid
