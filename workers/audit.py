"""The audit: whether the job store and the object store agree, job by job, and what can be done where they do not.

It reads while the service works, so only what is older than a safe age counts as left behind: a worker may be about to
commit a picture, and a request may be storing its inputs.
"""

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from workers.errors import JobExpiredError, JobUnknownError, ObjectMissingError
from workers.job_reader import JobReader
from workers.messages import ItemView, JobView, State, record_key, spec_key
from workers.recorder import Recorder
from workers.recovery import Outcome, Recovery
from workers.repairs import Balance, Disagreement, Repairs, RetryAnswer
from workers.storage import ObjectStore
from workers.stored_jobs import StoredJob, StoredPicture, stored_job, stored_jobs

_EXAMPLES: Final = 10
_SETTLING_SECONDS: Final = 60.0
"""A submission or a record under way takes no longer."""


@dataclass(slots=True, kw_only=True)
class Report:
    """What an audit found. Of each kind of fault: how many, how many were mended, and some places."""

    jobs: int = 0
    objects: int = 0
    found: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    balance: Balance | None = None

    def note(self, kind: str, where: str, *, mended: bool) -> None:
        """A fault."""
        self.found[kind] += 1
        self.mended[kind] += int(mended)
        if len(self.examples[kind]) < _EXAMPLES:
            self.examples[kind].append(where)

    def note_all(self, disagreements: Iterable[Disagreement]) -> None:
        """Faults of the job store."""
        for fault in disagreements:
            self.note(fault.kind, fault.where, mended=fault.mended)

    @property
    def wrong(self) -> int:
        """Faults that remain."""
        return self.found.total() - self.mended.total()


class Audit:
    """One pass over both stores. Methods raise `QueueUnavailableError` or `StorageUnavailableError`."""

    def __init__(
        self,
        *,
        repairs: Repairs,
        reader: JobReader,
        objects: ObjectStore,
        recorder: Recorder,
        recovery: Recovery,
        retention_seconds: float,
        safe_age_seconds: float,
        fix: bool = False,
        digests: bool = False,
    ) -> None:
        """`digests`: also read every picture and compare its digest."""
        self._repairs = repairs
        self._reader = reader
        self._objects = objects
        self._recorder = recorder
        self._recovery = recovery
        self._retention_seconds = retention_seconds
        self._safe_age_seconds = safe_age_seconds
        self._settling_seconds = min(safe_age_seconds, _SETTLING_SECONDS)
        self._fix = fix
        self._digests = digests

    def run(self) -> Report:
        """Look at every stored job, then at those that the object store has nothing of, then at the sums."""
        report = Report()
        seen: set[str] = set()
        for stored in stored_jobs(self._objects):
            seen.add(stored.id)
            report.objects += len(stored.objects)
            self._check(stored, report)
        for owner in self._repairs.owners():
            for job in self._reader.jobs(owner):
                if job.id not in seen:
                    self._check(stored_job(self._objects, job.id), report)
        report.balance = self._repairs.balance(fix=self._fix)
        report.note_all(report.balance.wrong)
        if missing := report.balance.missing:
            report.note("totals-do-not-balance", f"{missing} items", mended=False)
        return report

    def _check(self, stored: StoredJob, report: Report) -> None:
        if not self._repairs.is_known(stored.id):
            self._check_unknown(stored, report)
            return
        report.jobs += 1
        report.note_all(self._repairs.audit(stored.id, fix=self._fix))
        try:
            job = self._reader.job(stored.id)
            if self._seconds_since_end(job) >= self._retention_seconds:
                return  # it is about to be removed
            self._check_papers(stored, job, report)
            pictures = _by_index(stored)
            stored_bytes = stored.input_bytes
            for items in self._reader.pages(job):
                self._check_items(stored, job, items, report)
                stored_bytes += sum(item.size_bytes or 0 for item in items)
                for item in items:
                    self._check_pictures(stored, item, pictures.pop(item.index, []), report)
            for of_no_item in pictures.values():
                self._check_pictures(stored, None, of_no_item, report)
            report.note_all(self._repairs.recount(job.id, stored_bytes=stored_bytes, fix=self._fix))
        except (JobExpiredError, JobUnknownError):
            return  # removed in the meantime, or told already

    def _check_unknown(self, stored: StoredJob, report: Report) -> None:
        """A job that was accepted and is not in the job store, or what an unaccepted or removed one left behind."""
        if not stored.objects or self._repairs.is_reserved(stored.id):
            return
        if stored.is_described and not self._repairs.is_gone(stored.id):
            if self._age(stored, spec_key(stored.id)) >= self._settling_seconds:
                back = self._fix and self._recovery.restore(stored)[0] in (Outcome.OPENED, Outcome.ENDED, Outcome.KNOWN)
                report.note("job-lost", stored.id, mended=back)
        elif min(self._age(stored, key) for key in stored.objects) >= self._safe_age_seconds:
            for key in stored.objects:
                self._note_orphan(key, report)

    def _check_papers(self, stored: StoredJob, job: JobView, report: Report) -> None:
        """The description, and the record of a job that has ended."""
        if not stored.is_described and not self._objects.exists(spec_key(job.id)):
            if self._fix:
                text = self._repairs.description(job.id).to_json()
                self._objects.put(spec_key(job.id), text.encode(), content_type="application/json")
            report.note("description-missing", job.id, mended=self._fix)
        if self._seconds_since_end(job) < self._settling_seconds:
            return
        if not stored.is_recorded and not self._objects.exists(record_key(job.id)):
            if self._fix:
                self._recorder.record([job.id])
            report.note("record-missing", job.id, mended=self._fix and self._objects.exists(record_key(job.id)))

    def _check_items(self, stored: StoredJob, job: JobView, items: list[ItemView], report: Report) -> None:
        """Inputs of the open items, pictures of those that succeeded."""
        for item in items:
            name = f"{job.id}:{item.index}"
            if item.state is State.SUCCEEDED:
                fault = self._fault_of_picture(stored, item)
                if fault is not None:
                    report.note(fault, name, mended=self._fix and self._make_again(name, item.picture_key or ""))
            elif not item.state.is_final and not self._has(stored, item.label_map_key):
                report.note("input-missing", name, mended=False)

    def _fault_of_picture(self, stored: StoredJob, item: ItemView) -> str | None:
        key = item.picture_key
        if key is None or not self._has(stored, key):
            return "picture-missing"
        if self._digests:
            try:
                if hashlib.sha256(self._objects.get(key)).hexdigest() != item.digest:
                    return "picture-damaged"
            except ObjectMissingError:
                return "picture-missing"
        return None

    def _make_again(self, name: str, picture_key: str) -> bool:
        """Put an item back whose picture is gone or damaged: the same inputs and seed give the same picture."""
        job_id, _, index = name.rpartition(":")
        retried = self._repairs.retry([(name, picture_key)]) == [RetryAnswer.RETRIED]
        if retried:
            self._objects.delete(picture_key)  # a damaged one would count as the result after a loss of Redis
            self._recorder.record_reopened(job_id, [int(index)])
        return retried

    def _check_pictures(
        self, stored: StoredJob, item: ItemView | None, pictures: list[StoredPicture], report: Report
    ) -> None:
        """No pictures but that of the item: others are of commits that came too late."""
        for picture in pictures:
            is_wanted = item is not None and (
                item.picture_key == picture.key or (item.state is State.RUNNING and item.fence == picture.fence)
            )
            if not is_wanted and self._age(stored, picture.key) >= self._safe_age_seconds:
                self._note_orphan(picture.key, report)

    def _note_orphan(self, key: str, report: Report) -> None:
        if self._fix:
            self._objects.delete(key)
        report.note("orphan-object", key, mended=self._fix)

    def _has(self, stored: StoredJob, key: str) -> bool:
        """Whether the object is there; one that was not when the job was listed may be by now."""
        return key in stored.objects or self._objects.exists(key)

    def _seconds_since_end(self, job: JobView) -> float:
        return -1.0 if job.finished_ms is None else time.time() - job.finished_ms / 1000

    def _age(self, stored: StoredJob, key: str) -> float:
        return time.time() - stored.objects[key].modified_seconds


def _by_index(stored: StoredJob) -> dict[int, list[StoredPicture]]:
    pictures: dict[int, list[StoredPicture]] = {}
    for picture in stored.pictures():
        pictures.setdefault(picture.index, []).append(picture)
    return pictures
