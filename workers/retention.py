"""Retention: ended jobs whose time is over. The record goes first, which makes answers 410; the objects follow.

Between the two the job store lists a job as doomed, so that neither a crash nor an object store that is away leaves
objects behind.
"""

import logging

from workers.errors import StorageUnavailableError
from workers.job_store import JobStore
from workers.messages import job_prefix
from workers.storage import ObjectStore

_log = logging.getLogger(__name__)


class Retention:
    """Removes what is no longer to be kept."""

    def __init__(self, *, store: JobStore, objects: ObjectStore) -> None:
        self._store = store
        self._objects = objects

    def enforce(self) -> None:
        """One round. Objects that the object store does not let go are tried again in the next, after all others.

        Raises `QueueUnavailableError`, or `StorageUnavailableError` where the object store is away altogether.
        """
        for job_id in self._store.jobs_past_retention():
            self._store.forget(job_id)
        for job_id in self._store.doomed_jobs():
            try:
                self._objects.delete_prefix(job_prefix(job_id))
            except StorageUnavailableError as error:
                self._objects.ping()
                _log.warning("objects of a removed job stay for now", extra={"job": job_id, "error": str(error)})
                self._store.note_removal(job_id, done=False)
            else:
                self._store.note_removal(job_id, done=True)
