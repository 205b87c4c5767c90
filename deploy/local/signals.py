"""Signals that ask a supervised set of processes to stop."""

import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stopped_by_signals(stop: Callable[[], None]) -> None:
    """Have each of the signals call `stop`.

    The handler, which may interrupt this thread where it holds a lock, does the one thing that is safe there; a thread
    of its own does the rest.
    """
    received: SimpleQueue[int] = SimpleQueue()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, _: received.put(number))

    def forward() -> None:
        while received.get():
            stop()

    threading.Thread(target=forward, name="signals", daemon=True).start()
