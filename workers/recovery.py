"""From the object store back into the queue, after Redis has lost what it knew.

What lies there suffices: `job.json` says what was asked for, `record.json` what failed, was canceled or expired, and
the newest picture of an item is its result. Nothing that has ended is done again.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from workers.errors import ObjectMissingError, StorageUnavailableError
from workers.filling import Filler
from workers.messages import ItemSpec, JobSpec, State, record_key, spec_key
from workers.rebuilding import rebuild_item
from workers.recorder import Recorder
from workers.repairs import Repairs, RestoreAnswer, RestoredItem, RestoredJob
from workers.storage import ObjectStore
from workers.stored_jobs import StoredJob, stored_jobs
from workers.webhook_messages import WebhookState, WebhookView

_READING_THREADS: Final = 8
_log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What became of a stored job."""

    OPENED = "opened"  # it has items to do
    ENDED = "ended"  # it can be read again
    KNOWN = "known"  # the job store has it
    GONE = "gone"  # it was removed after its retention time
    BEING_SUBMITTED = "being submitted"
    NOT_ACCEPTED = "not accepted"  # inputs without a description
    UNREADABLE = "unreadable"


@dataclass(slots=True, kw_only=True)
class Requeued:
    """What a whole pass did: jobs by outcome, and the items of those that were taken back, by state."""

    jobs: Counter[Outcome] = field(default_factory=Counter)
    items: Counter[State] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)


class Recovery:
    """Takes stored jobs back that the job store does not know. May run twice, and while the service works."""

    def __init__(self, *, repairs: Repairs, objects: ObjectStore, recorder: Recorder, filler: Filler) -> None:
        self._repairs = repairs
        self._filler = filler
        self._objects = objects
        self._recorder = recorder

    def requeue(self, on_job: Callable[[Requeued], None] | None = None) -> Requeued:
        """Take back every job. Raises `QueueUnavailableError` or `StorageUnavailableError`; then run it again."""
        done = Requeued()
        for stored in stored_jobs(self._objects):
            outcome, items = self.restore(stored)
            done.jobs[outcome] += 1
            done.items += items
            if outcome is Outcome.UNREADABLE:
                done.unreadable.append(stored.id)
            if on_job is not None:
                on_job(done)
        return done

    def restore(self, stored: StoredJob) -> tuple[Outcome, Counter[State]]:
        """Take one job back; its items by state if that was done.

        A bulk job is known from the start and its items follow; broken off, workers bring in the rest. One of which the
        object store does not hand out everything is unreadable for now. Raises `QueueUnavailableError`, or
        `StorageUnavailableError` where the object store is away altogether.
        """
        try:
            return self._restore(stored)
        except StorageUnavailableError as error:
            self._objects.ping()
            _log.error("stored job cannot be read", extra={"job": stored.id, "error": str(error)})
            return Outcome.UNREADABLE, Counter()

    def _restore(self, stored: StoredJob) -> tuple[Outcome, Counter[State]]:
        nothing: Counter[State] = Counter()
        if self._repairs.is_known(stored.id):
            self._recorder.record(self._filler.fill(stored.id))
            return Outcome.KNOWN, nothing
        if not stored.is_described:
            return Outcome.NOT_ACCEPTED, nothing
        try:
            spec, record = self._read(stored)
            job = self._rebuild(stored, spec, record)
        except ObjectMissingError:
            return Outcome.GONE, nothing  # removed since it was listed
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            _log.error("stored job cannot be read", extra={"job": stored.id, "error": str(error)})
            return Outcome.UNREADABLE, nothing
        answer, ended = self._repairs.restore(job)
        if answer is not RestoreAnswer.RESTORED:
            return _REFUSED[answer], nothing
        _log.info("job taken back", extra={"job": spec.id, "request_id": spec.request_id, "items": spec.total})
        self._recorder.record([*ended, *self._filler.fill(stored.id)])
        items = self._repairs.counts(stored.id) if spec.bulk else Counter(item.state for item in job.items)
        is_open = any(not state.is_final for state in items)
        return Outcome.OPENED if is_open else Outcome.ENDED, items

    def _read(self, stored: StoredJob) -> tuple[JobSpec, dict[str, Any]]:
        spec = JobSpec.from_json(self._objects.get(spec_key(stored.id)))
        if not stored.is_recorded:
            return spec, {}
        record: dict[str, Any] = json.loads(self._objects.get(record_key(stored.id)))
        State(record["state"])
        # Of the same id, but of a job that was there before this one: its client has submitted another since.
        return spec, record if record["request_digest"] == spec.request_digest else {}

    def _rebuild(self, stored: StoredJob, spec: JobSpec, record: dict[str, Any]) -> RestoredJob:
        is_final = bool(record) and State(record["state"]).is_final
        pictures = stored.newest_pictures()
        recorded: dict[int, dict[str, Any]] = {item["index"]: item for item in record.get("items", ())}

        def rebuild(item: ItemSpec) -> RestoredItem:
            values, picture = recorded.get(item.index), pictures.get(item.index)
            return rebuild_item(self._objects, item, values, picture, is_final=is_final)

        with ThreadPoolExecutor(_READING_THREADS) as pool:
            items = tuple(pool.map(rebuild, spec.items))
        return RestoredJob(
            spec=spec,
            items=items,
            created_ms=record.get("created_ms", spec.created_ms),
            started_ms=record.get("started_ms"),
            finished_ms=record.get("finished_ms"),
            deadline_ms=record.get("deadline_ms", spec.deadline_ms),
            is_recorded=is_final,
            input_bytes=stored.input_bytes,
            newest_fence=max((picture.fence for picture in pictures.values()), default=0),
            endings=record.get("endings", 0) - int(is_final),
            webhook=_recorded_webhook(record) if is_final else None,
        )


_REFUSED: Final = {
    RestoreAnswer.EXISTS: Outcome.KNOWN,
    RestoreAnswer.GONE: Outcome.GONE,
    RestoreAnswer.RESERVED: Outcome.BEING_SUBMITTED,
}


def _recorded_webhook(record: dict[str, Any]) -> WebhookView | None:
    values = record.get("webhook")
    return None if values is None else WebhookView(**{**values, "state": WebhookState(values["state"])})
