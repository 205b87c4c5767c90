"""A wish to stop, from the system or from a person at the terminal."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
def stop_on_signals() -> Iterator[StopWish]:
    """Turns the first SIGTERM or SIGINT into a wish; a second one does what it would have done without this."""
    stop = StopWish()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def answer(number: int, _frame: FrameType | None) -> None:
        stop.wish()
        signal.signal(number, before[signal.Signals(number)])

    for number in _SIGNALS:
        signal.signal(number, answer)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
