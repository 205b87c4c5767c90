"""From the object store back into the queue, after Redis has lost what it knew.

What lies there suffices: `job.json` says what was asked for, `record.json` what failed, was canceled or expired, and
the newest picture of an item is its result. Nothing that has ended is done again.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from workers.errors import ObjectMissingError
from workers.messages import ItemSpec, JobSpec, State, record_key, spec_key
from workers.recorder import Recorder
from workers.repairs import Repairs, RestoreAnswer, RestoredItem, RestoredJob
from workers.storage import ObjectStore
from workers.stored_jobs import StoredJob, StoredPicture, stored_jobs
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

    def __init__(self, *, repairs: Repairs, objects: ObjectStore, recorder: Recorder) -> None:
        self._repairs = repairs
        self._objects = objects
        self._recorder = recorder

    def requeue(self, on_job: Callable[[Requeued], None] | None = None) -> Requeued:
        """Take back every job. Raises `QueueUnavailableError` or `StorageUnavailableError`; then run it again."""
        done = Requeued()
        for stored in stored_jobs(self._objects):
            outcome, items = self.restore(stored)
            done.jobs[outcome] += 1
            done.items.update(item.state for item in items)
            if outcome is Outcome.UNREADABLE:
                done.unreadable.append(stored.id)
            if on_job is not None:
                on_job(done)
        return done

    def restore(self, stored: StoredJob) -> tuple[Outcome, tuple[RestoredItem, ...]]:
        """Take one job back; its items if that was done."""
        if self._repairs.is_known(stored.id):
            return Outcome.KNOWN, ()
        if not stored.is_described:
            return Outcome.NOT_ACCEPTED, ()
        try:
            spec, record = self._read(stored)
            job = self._rebuild(stored, spec, record)
        except ObjectMissingError:
            return Outcome.GONE, ()  # removed since it was listed
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            _log.error("stored job cannot be read", extra={"job": stored.id, "error": str(error)})
            return Outcome.UNREADABLE, ()
        answer, ended = self._repairs.restore(job)
        if answer is not RestoreAnswer.RESTORED:
            return _REFUSED[answer], ()
        self._recorder.record(ended)
        is_open = any(not item.state.is_final for item in job.items)
        return Outcome.OPENED if is_open else Outcome.ENDED, job.items

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

        def rebuild_item(item: ItemSpec) -> RestoredItem:
            values, picture = recorded.get(item.index), pictures.get(item.index)
            if values is not None and (is_final or _still_holds(values, picture)):
                return _as_recorded(item, values)
            return self._from_picture(item, picture)

        with ThreadPoolExecutor(_READING_THREADS) as pool:
            items = tuple(pool.map(rebuild_item, spec.items))
        deadline = spec.deadline_seconds
        deadline_ms = None if deadline is None else spec.created_ms + round(deadline * 1000)
        return RestoredJob(
            spec=spec,
            items=items,
            created_ms=record.get("created_ms", spec.created_ms),
            started_ms=record.get("started_ms"),
            finished_ms=record.get("finished_ms"),
            deadline_ms=record.get("deadline_ms", deadline_ms),
            is_recorded=is_final,
            input_bytes=stored.input_bytes,
            newest_fence=max((picture.fence for picture in pictures.values()), default=0),
            endings=record.get("endings", 0) - int(is_final),
            webhook=_recorded_webhook(record) if is_final else None,
        )

    def _from_picture(self, item: ItemSpec, picture: StoredPicture | None) -> RestoredItem:
        """Succeeded with the picture, or queued where there is none."""
        if picture is None:
            return RestoredItem(spec=item)
        try:
            data = self._objects.get(picture.key)
        except ObjectMissingError:
            return RestoredItem(spec=item)  # removed since it was listed
        return RestoredItem(
            spec=item,
            state=State.SUCCEEDED,
            attempts=1,
            picture_key=picture.key,
            digest=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            fence=picture.fence,
        )


_REFUSED: Final = {
    RestoreAnswer.EXISTS: Outcome.KNOWN,
    RestoreAnswer.GONE: Outcome.GONE,
    RestoreAnswer.RESERVED: Outcome.BEING_SUBMITTED,
}


def _still_holds(values: dict[str, Any], picture: StoredPicture | None) -> bool:
    """Whether what was recorded of an item of an open job is its end: not if it was tried again since."""
    if not State(values["state"]).is_final:
        return False
    if State(values["state"]) is State.SUCCEEDED:
        return picture is not None and picture.key == values["picture_key"]
    return picture is None or picture.fence <= (values.get("fence") or 0)


def _recorded_webhook(record: dict[str, Any]) -> WebhookView | None:
    values = record.get("webhook")
    return None if values is None else WebhookView(**{**values, "state": WebhookState(values["state"])})


def _as_recorded(item: ItemSpec, values: dict[str, Any]) -> RestoredItem:
    return RestoredItem(
        spec=item,
        state=State(values["state"]),
        attempts=values["attempts"],
        reason=values["reason"],
        detail=values["detail"],
        picture_key=values["picture_key"],
        digest=values["digest"],
        size_bytes=values["size_bytes"],
        timings=values["timings"],
        fence=values.get("fence"),
    )
