"""Whether the worker's loop is alive, and whether it works."""

import threading
import time


class Progress:
    """When the loop last did something, for the liveness probe. `busy` is set while it drains the queue."""

    def __init__(self) -> None:
        self.busy = threading.Event()
        self._noted = time.monotonic()

    def note(self) -> None:
        """The loop did something just now."""
        self._noted = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """Since the last note."""
        return time.monotonic() - self._noted
