"""What a worker's loop does while its engine is away."""

import logging
import random
import threading
from collections.abc import Callable
from typing import Final

from workers.errors import EngineUnavailableError

_FIRST_SECONDS: Final = 0.2
_LONGEST_SECONDS: Final = 5.0
_PATIENCE: Final = 6
"""Pauses in a row, some five seconds, in which a backend that died should be back."""
_log = logging.getLogger(__name__)


class EnginePause:
    """Waits until the engine answers, and longer each time that it was away although it had answered.

    The waits are drawn at random, so that not all workers come back at once.
    """

    def __init__(self, ping: Callable[[], None], *, stop: threading.Event, note: Callable[[], None]) -> None:
        """`ping` raises `EngineUnavailableError` while the engine is away; `stop` ends a wait; `note` is told of it."""
        self._ping = ping
        self._stop = stop
        self._note = note
        self._longest_seconds = _FIRST_SECONDS
        self._in_a_row = 0

    @property
    def is_long(self) -> bool:
        """Whether the engine answers and yet has computed nothing for so long that others should have their turn."""
        return self._in_a_row >= _PATIENCE

    def computed(self) -> None:
        """The engine was there."""
        self._longest_seconds = _FIRST_SECONDS
        self._in_a_row = 0

    def wait(self) -> None:
        """The engine was away just now."""
        self._in_a_row += 1
        while not self._stop.wait(random.uniform(0, self._longest_seconds)):  # noqa: S311 - nothing to guess
            self._note()
            self._longest_seconds = min(2 * self._longest_seconds, _LONGEST_SECONDS)
            try:
                return self._ping()
            except EngineUnavailableError as error:
                _log.warning("waiting", extra={"error": str(error)})
        return None
