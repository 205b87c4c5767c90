"""Retention: ended jobs whose time is over. The record goes first, which makes answers 410; the objects follow.

Between the two the job store lists a job as doomed, so that neither a crash nor an object store that is away leaves
objects behind. A worker does this in a thread of its own: removing the objects of a large job takes minutes, and where
the object store hangs much longer, and meanwhile what other workers lost has to be taken back.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

from workers.errors import StorageUnavailableError
from workers.job_store import JobStore
from workers.messages import job_prefix
from workers.storage import ObjectStore

_TURN: Final = "*retention*"  # no id of a job
_TURN_SECONDS: Final = 30.0
_log = logging.getLogger(__name__)


class Retention:
    """Removes what is no longer to be kept."""

    def __init__(self, *, store: JobStore, objects: ObjectStore) -> None:
        self._store = store
        self._objects = objects

    def take_turn(self, *, holder: str, stop: threading.Event) -> None:
        """One round, unless somebody else is about it; broken off when `stop` is set. Raises as `enforce`."""
        if not self._store.reserve(_TURN, holder=holder, seconds=_TURN_SECONDS):
            return

        def go_on() -> bool:
            return not stop.is_set() and self._store.keep_reserved(_TURN, holder=holder, seconds=_TURN_SECONDS)

        try:
            self.enforce(go_on)
        finally:
            self._store.unreserve(_TURN, holder=holder)

    def enforce(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """One round; `go_on` is asked before each job. What the object store does not let go is tried in later rounds.

        Raises `QueueUnavailableError`, or `StorageUnavailableError` where the object store is away altogether.
        """
        for job_id in self._store.jobs_past_retention():
            self._store.forget(job_id)
        for job_id in self._store.doomed_jobs():
            if not go_on():
                return
            try:
                self._objects.delete_prefix(job_prefix(job_id))
            except StorageUnavailableError as error:
                self._objects.ping()
                _log.warning("objects of a removed job stay for now", extra={"job": job_id, "error": str(error)})
                self._store.note_removal(job_id, done=False)
            else:
                self._store.note_removal(job_id, done=True)
