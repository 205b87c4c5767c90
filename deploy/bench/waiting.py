"""How benchmarks wait for what takes as long as it takes."""

import threading
import time
from collections.abc import Callable

from deploy.errors import BenchmarkError


def wait_until(condition: Callable[[], object], what: str, *, seconds: float, poll_seconds: float = 0.2) -> None:
    """Ask `condition` until it holds. Raises `BenchmarkError`, naming `what`, when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"not within {seconds:g} s: {what}")
        pause.wait(poll_seconds)
