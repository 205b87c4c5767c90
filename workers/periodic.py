"""Work that is done again and again beside the worker's loop."""

import logging
import threading
from collections.abc import Callable

from workers.errors import QueueUnavailableError, StorageUnavailableError

_log = logging.getLogger(__name__)


class Periodic:
    """Calls `action` every `interval_seconds`, and when it is asked to, in a thread of its own until it is stopped."""

    def __init__(self, name: str, action: Callable[[], None], *, interval_seconds: float) -> None:
        self._name = name
        self._action = action
        self._interval_seconds = interval_seconds
        self._due = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first call is one interval away."""
        self._thread.start()

    def hurry(self) -> None:
        """Call now rather than an interval from now; of what is asked for during a call, one more comes of it."""
        self._due.set()

    def stop(self) -> None:
        """Return when no call is going on and none will follow."""
        self._stopped = True
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._due.wait(self._interval_seconds)
            self._due.clear()
            if self._stopped:
                return
            try:
                self._action()
            except (QueueUnavailableError, StorageUnavailableError) as error:
                _log.warning("periodic work waits", extra={"work": self._name, "error": str(error)})
            except Exception:  # a thread that ended here would let every lease run out, unnoticed
                _log.exception("periodic work failed", extra={"work": self._name})
