"""Waiting without sleeping."""

import threading
import time
from collections.abc import Callable
from typing import Final

import pytest

POLL_SECONDS: Final = 0.02


def wait_until(condition: Callable[[], object], what: str, *, seconds: float = 120.0) -> None:
    """Ask `condition` often until it holds. Fails the test, naming `what`, when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")
        pause.wait(POLL_SECONDS)
