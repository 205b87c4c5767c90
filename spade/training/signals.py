"""A wish to stop, from the system or from a person at the terminal."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_STANDARD_ERROR = 2
_HEARD = b"It stops after this step and saves it; told so again, it ends at once.\n"


class StopWish:
    """Whether someone has wished that the run stops after the current step."""

    def __init__(self) -> None:
        self._wished = threading.Event()

    @property
    def wished(self) -> bool:
        return self._wished.is_set()

    def wish(self) -> None:
        self._wished.set()


@contextmanager
def stop_on_signals(*, tell: bool) -> Iterator[StopWish]:
    """Turns the first SIGTERM or SIGINT into a wish; a second one does what it would have done without this.

    `tell` says on standard error that the first was heard.
    """
    stop = StopWish()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def answer(number: int, _frame: FrameType | None) -> None:
        stop.wish()
        if tell:
            os.write(_STANDARD_ERROR, _HEARD)  # which, unlike print, may come between the bytes of another message
        signal.signal(number, before[signal.Signals(number)])

    for number in _SIGNALS:
        signal.signal(number, answer)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
