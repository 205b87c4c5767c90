"""Records: what became of a job goes to the object store, where it outlives Redis.

They are written when a job ends, and before that when an item fails for good, of which nothing else there tells. The
pictures tell of those that succeeded. The items of a bulk job are in its journal.
"""

import dataclasses
import json
import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

from workers import journal
from workers.errors import JobExpiredError, JobUnknownError, QueueUnavailableError, StorageUnavailableError
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.messages import JobView, record_key
from workers.storage import ObjectStore

_PIECE_ITEMS: Final = 500
_log = logging.getLogger(__name__)


class Recorder:
    """Writes `record.json`. What cannot be written now stays listed in the job store and is tried again."""

    def __init__(self, *, store: JobStore, reader: JobReader, objects: ObjectStore) -> None:
        self._store = store
        self._reader = reader
        self._objects = objects

    def record(self, job_ids: Iterable[str]) -> None:
        """Record jobs that have ended."""
        for job_id in job_ids:
            try:
                self._record(job_id)
            except (QueueUnavailableError, StorageUnavailableError) as error:
                _log.warning("record not stored yet", extra={"job": job_id, "error": str(error)})

    def record_leftovers(self) -> None:
        """Record every job that ended, or of which an item failed, and that nobody recorded since."""
        self.record(self._store.unrecorded_jobs())

    def record_reopened(self, job_id: str, indices: Sequence[int]) -> None:
        """Record a job of which these items were put back: no later entry in the journal says so of a bulk job's."""
        try:
            if self._reader.job(job_id).is_bulk:
                journal.write(self._objects, job_id, [self._reader.item(job_id, index) for index in indices])
        except (JobExpiredError, JobUnknownError):
            return  # removed in the meantime
        except (QueueUnavailableError, StorageUnavailableError) as error:
            _log.warning("items that were put back not journaled", extra={"job": job_id, "error": str(error)})
        self.record([job_id])

    def _record(self, job_id: str) -> None:
        recorded = False
        while not recorded:  # two may write at one time: whoever wrote what was out of date writes again
            mark = self._store.record_mark(job_id)
            try:
                job = self._reader.job(job_id)
                record, journaled = self._write_journal(job) if job.is_bulk else self._describe(job)
            except (JobExpiredError, JobUnknownError):
                return  # removed in the meantime
            self._objects.put(record_key(job_id), json.dumps(record).encode(), content_type="application/json")
            recorded = self._store.mark_recorded(job_id, mark=mark, journaled=journaled)

    def _describe(self, job: JobView) -> tuple[dict[str, Any], None]:
        items = self._reader.items(job)
        return dataclasses.asdict(job) | {"items": [dataclasses.asdict(item) for item in items]}, None

    def _write_journal(self, job: JobView) -> tuple[dict[str, Any], int]:
        """The items of a bulk job that have ended since the last time; returns also how many are in its journal."""
        journaled = self._store.journaled(job.id)
        while items := self._reader.settled_items(job, start=journaled, count=_PIECE_ITEMS):
            journal.write(self._objects, job.id, items)
            journaled += len(items)
        return dataclasses.asdict(job), journaled
