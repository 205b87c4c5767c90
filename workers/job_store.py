"""The job store: every item, its lease, its attempts and its result. Each method is one atomic step in Redis.

Redis is the truth about the queue and its clock is the only one. Celery messages merely say that a look is worthwhile.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from workers.claimed_rows import claimed_batch
from workers.errors import JobExistsError, JobExpiredError, JobUnknownError, QueueFullError, StorageQuotaError
from workers.figures import FailureReason
from workers.limits import NO_LIMITS, KeyLimits
from workers.messages import Batch, CancelOutcome, ClaimedItem, JobSpec, Result
from workers.redis_client import PREFIX, RedisClient, translated_errors
from workers.scripts import Scripts
from workers.settings import QueueSettings

_TOMBSTONE_SECONDS: Final = 30 * 24 * 3600
_REAP_LIMIT: Final = 500
_RANGE_ITEMS: Final = 1000
"""Items of a job that one call looks at: other clients of Redis wait for it, so it must not take long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Answer to a claim. `more_waiting`: a model of this worker that has further items waiting."""

    batch: Batch | None
    more_waiting: str | None
    ended_jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Answer to a commit: per result whether it was published, and the jobs that ended with it.

    `unknown` says of which results the item is not known at all: Redis has lost it. `freed` items waited for one of
    these and may be claimed now.
    """

    published: tuple[bool, ...]
    unknown: tuple[bool, ...]
    ended_jobs: tuple[str, ...]
    freed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """What the reaper found."""

    lost: tuple[str, ...]  # ids of items
    expired: tuple[str, ...]  # likewise
    ended_jobs: tuple[str, ...]


class JobStore:
    """Transitions of jobs and items. Every method raises `QueueUnavailableError` when Redis is away."""

    def __init__(self, client: RedisClient, settings: QueueSettings) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._settings = settings

    @property
    def _lease_ms(self) -> int:
        return round(self._settings.lease_seconds * 1000)

    def submit(
        self,
        spec: JobSpec,
        *,
        limits: KeyLimits = NO_LIMITS,
        input_bytes: int = 0,
        identities: Sequence[str] = (),
    ) -> None:
        """Accept a job and queue its items, whole or not at all. Those of a bulk job come later (`Filler`).

        `limits` are its owner's, where they differ from the settings'; `input_bytes` is what was stored for it. Items
        of equal `identities` are computed once where one is waiting while another runs. There is one for each item, or
        none at all: items of bulk jobs, and those that come back from the object store, are computed each for itself.
        Raises `JobExistsError`, `JobExpiredError` (the id was used by a job that is gone), `QueueFullError` or
        `StorageQuotaError`.
        """
        caps = self._settings
        deadline_ms = "" if spec.deadline_seconds is None else round(spec.deadline_seconds * 1000)
        items = [
            value
            for item, identity in zip(spec.items, identities or [""] * len(spec.items), strict=True)
            for value in (item.label_map_key, item.instance_map_key or "", item.seed, item.file, identity)
        ]
        answer = self._scripts.run(
            "submit",
            *(spec.id, spec.owner, spec.model, spec.bucket, spec.priority.rank, spec.pixels, deadline_ms),
            *(spec.picture_format, spec.picture_quality, spec_head(spec), spec.request_digest),
            *(caps.max_open_items, caps.max_open_pixels),
            *(limits.max_items or caps.max_owner_items, limits.max_pixels or caps.max_owner_pixels),
            *(limits.storage_bytes or "", input_bytes),
            spec.total,
            *items,
        )
        match answer:
            case ["exists", digest]:
                raise JobExistsError(spec.id, digest)
            case ["gone"]:
                raise JobExpiredError(spec.id)
            case ["full", scope, unit, cap, retry_after]:
                raise QueueFullError(scope=scope, unit=unit, cap=cap, retry_after_seconds=retry_after)
            case ["over quota", used]:
                quota = limits.storage_bytes or 0
                raise StorageQuotaError(used_bytes=used, new_bytes=input_bytes, quota_bytes=quota)

    def reserve(self, job_id: str, *, holder: str, seconds: float) -> bool:
        """Whether the holder alone may now store inputs for a job of this id that a client chose."""
        return self._reserve(job_id, holder, "take", seconds)

    def keep_reserved(self, job_id: str, *, holder: str, seconds: float) -> bool:
        """Prolong a reservation; False when it has run out."""
        return self._reserve(job_id, holder, "keep", seconds)

    def unreserve(self, job_id: str, *, holder: str) -> None:
        """Let a reservation go; one that is another's by now stays."""
        self._reserve(job_id, holder, "drop", 0)

    def _reserve(self, job_id: str, holder: str, step: str, seconds: float) -> bool:
        return bool(self._scripts.run("reserve", job_id, holder, step, round(seconds * 1000)))

    def claim(self, *, worker: str, device: str, models: Iterable[str], max_items: int, max_pixels: int) -> Claim:
        """Take up to a batch of waiting items of one bucket, in scheduling order, under a lease.

        Those whose like is being computed are passed over, and handed out with its picture once that is there.
        """
        bucket, more, rows, ended, specs = self._scripts.run(
            "claim", worker, device, self._lease_ms, max_items, max_pixels, *models
        )
        return Claim(
            batch=claimed_batch(bucket, rows, dict(zip(specs[::2], map(json.loads, specs[1::2]), strict=True))),
            more_waiting=more or None,
            ended_jobs=tuple(ended),
        )

    def advance(self, items: Sequence[ClaimedItem], *, stage: str = "") -> list[bool]:
        """Renew the leases; with `stage="computing"` also note that the engine starts. False: lost or canceled."""
        held = self._scripts.run("advance", self._lease_ms, stage, *_fences(items))
        return [bool(flag) for flag in held]

    def commit(self, results: Sequence[Result]) -> Commit:
        """Publish results, each if and only if its fence is still the newest."""
        arguments = [
            value
            for r in results
            for value in (r.item.id, r.item.fence, r.picture_key, r.digest, r.size_bytes, json.dumps(r.timings))
        ]
        answers, ended, freed = self._scripts.run("commit", *arguments)
        return Commit(
            published=tuple(answer == 1 for answer in answers),
            unknown=tuple(answer < 0 for answer in answers),
            ended_jobs=tuple(ended),
            freed=freed,
        )

    def release(self, items: Sequence[ClaimedItem]) -> tuple[str, ...]:
        """Put items back without blame."""
        return self._give_back("release", "", "", items)

    def postpone(self, items: Sequence[ClaimedItem]) -> tuple[str, ...]:
        """Put items behind all others of their class, each alone and without blame."""
        return self._give_back("postpone", "", "", items)

    def lose(self, items: Sequence[ClaimedItem], *, detail: str) -> tuple[str, ...]:
        """Report a lost attempt: tried alone next; after `max_losses` alone, failed as poison."""
        return self._give_back("lose", "", detail, items)

    def fail(self, items: Sequence[ClaimedItem], *, reason: FailureReason, detail: str) -> tuple[str, ...]:
        """End items for good. Returns the jobs that ended with them, as `release` and `lose` do."""
        return self._give_back("fail", reason, detail, items)

    def _give_back(self, how: str, reason: str, detail: str, items: Sequence[ClaimedItem]) -> tuple[str, ...]:
        return tuple(self._scripts.run("give_back", how, reason, detail, self._settings.max_losses, *_fences(items)))

    def lower_ceiling(self, *, device: str, bucket: str, batch_size: int) -> int:
        """Remember after an out-of-memory that only half of `batch_size` fits; returns the new ceiling."""
        ceiling = max(1, batch_size // 2)
        with translated_errors():
            self._client.hset(f"{PREFIX}ceilings:{device}", mapping={bucket: str(ceiling)})
        return ceiling

    def cancel(self, job_id: str, *, owner: str) -> tuple[list[CancelOutcome], tuple[str, ...]]:
        """Cancel what can be. Returns the outcome of every item by index, and the job if it ended.

        A large job is canceled a range at a time; broken off, it goes on when it is called again. Items of a bulk job
        that have not come in yet are canceled as they do.
        """
        outcomes: list[CancelOutcome] = []
        ended: list[str] = []
        while True:
            answer = self._scripts.run("cancel", job_id, owner, len(outcomes), _RANGE_ITEMS)
            if not answer[0]:
                raise JobUnknownError(job_id)
            outcomes += map(CancelOutcome, answer[1])
            ended += answer[2]
            if len(answer[1]) < _RANGE_ITEMS:
                return outcomes, tuple(ended)

    def reap(self) -> Reaped:
        """Take back items whose lease ran out and expire those whose deadline passed."""
        lost, expired, ended = self._scripts.run("reap", self._settings.max_losses, _REAP_LIMIT)
        return Reaped(lost=tuple(lost), expired=tuple(expired), ended_jobs=tuple(ended))

    def is_reaper(self, *, worker: str, seconds: float) -> bool:
        """Whether this worker may reap now: at most one does in `seconds`."""
        return bool(self._scripts.run("reaper", worker, round(seconds * 1000)))

    def unrecorded_jobs(self) -> list[str]:
        """Jobs that ended, or of which an item failed, since their record was stored."""
        with translated_errors():
            return self._client.zrange(f"{PREFIX}unrecorded", 0, _REAP_LIMIT)

    def record_mark(self, job_id: str) -> str:
        """What to tell `mark_recorded` about a record of the job as it is read after this call."""
        with translated_errors():
            return self._client.hget(f"{PREFIX}job:{job_id}", "mark") or ""

    def mark_recorded(self, job_id: str, *, mark: str, journaled: int | None = None) -> bool:
        """The job's record is stored. False: it is out of date already and has to be stored anew.

        `journaled`: of a bulk job, how many of the items that have ended are in its journal.
        """
        return bool(self._scripts.run("recorded", job_id, mark, "" if journaled is None else journaled))

    def journaled(self, job_id: str) -> int:
        """How many of the items of a bulk job that have ended are in its journal already."""
        with translated_errors():
            return int(self._client.hget(f"{PREFIX}job:{job_id}", "journaled") or 0)

    def jobs_past_retention(self) -> list[str]:
        """Ended jobs that were kept for the retention time, and those that were not wholly forgotten."""
        with translated_errors():
            begun = self._client.zrange(f"{PREFIX}forgetting", 0, _REAP_LIMIT)
            seconds, microseconds = self._client.time()
            oldest = (seconds - self._settings.retention_seconds) * 1000 + microseconds / 1000
            return begun + self._client.zrangebyscore(f"{PREFIX}ended", "-inf", oldest, start=0, num=_REAP_LIMIT)

    def forget(self, job_id: str) -> None:
        """Remove an ended job; from then on it is known as gone, and its objects are doomed. An open one stays."""
        while self._scripts.run("forget", job_id, _TOMBSTONE_SECONDS, _RANGE_ITEMS):
            pass

    def doomed_jobs(self) -> list[str]:
        """Jobs that are gone and whose objects are not; those whose removal was tried last come last."""
        with translated_errors():
            return self._client.zrange(f"{PREFIX}doomed", 0, _REAP_LIMIT - 1)

    def note_removal(self, job_id: str, *, done: bool) -> None:
        """The objects of a doomed job were removed, or could not be and others come first."""
        with translated_errors():
            if done:
                self._client.zrem(f"{PREFIX}doomed", job_id)
            else:
                seconds, microseconds = self._client.time()
                self._client.zadd(f"{PREFIX}doomed", {job_id: seconds * 1000 + microseconds / 1000}, xx=True)


def spec_head(spec: JobSpec) -> str:
    """What the job store keeps of a job beside its items, for those who read it."""
    head = dataclasses.asdict(dataclasses.replace(spec, items=()))
    del head["items"]
    return json.dumps({**head, "seed": spec.seed})


def _fences(items: Sequence[ClaimedItem]) -> list[str | int]:
    return [value for item in items for value in (item.id, item.fence)]
