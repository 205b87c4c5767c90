"""What operators do to the job store, each call one atomic step in Redis like those of `workers.job_store`."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Final

from workers.errors import JobUnknownError
from workers.job_store import spec_head
from workers.messages import ItemSpec, JobSpec, State
from workers.redis_client import PREFIX, RedisClient, translated_errors
from workers.scripts import Scripts
from workers.webhook_messages import WebhookView


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredItem:
    """An item as it goes back into the job store: queued, or ended with what is known of it."""

    spec: ItemSpec
    state: State = State.QUEUED
    attempts: int = 0
    reason: str | None = None
    detail: str | None = None
    picture_key: str | None = None
    digest: str | None = None
    size_bytes: int | None = None
    timings: dict[str, float] = field(default_factory=dict)
    fence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredJob:
    """A job as it goes back. Times are Unix times in milliseconds."""

    spec: JobSpec
    items: tuple[RestoredItem, ...]
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    deadline_ms: int | None
    is_recorded: bool  # its final record is stored already
    newest_fence: int  # of its pictures; fences given from now on are above it
    input_bytes: int
    endings: int = 0  # how often it had ended, without the end that is recorded
    webhook: WebhookView | None = None  # what is known to have become of it


class RestoreAnswer(StrEnum):
    """What became of a job that was to be taken back."""

    RESTORED = "restored"
    EXISTS = "exists"
    GONE = "gone"
    RESERVED = "reserved"


class RetryAnswer(StrEnum):
    """What became of an item that was to be put back."""

    RETRIED = "retried"
    UNLIKE = "unlike"  # it has not ended that way, or does not exist
    LATE = "late"  # the deadline of its job is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Something in the job store that cannot be, where, and whether it was put right."""

    kind: str
    where: str
    mended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Items since ever: all that were accepted, those that have ended by state, those that are open."""

    accepted: int
    ended: dict[State, int]
    open_items: int
    wrong: list[Disagreement]  # sums of open items or stored bytes that are not those of the jobs

    @property
    def missing(self) -> int:
        """Items that are neither open nor ended; below 0: items that were never accepted."""
        return self.accepted - sum(self.ended.values()) - self.open_items


_AUDITED_AT_ONCE: Final = 1000
_UNDONE: Final = {"poison": State.FAILED, "picture-missing": State.SUCCEEDED}
"""The state that an item had before it was retried, by the reason that is noted for the retry."""
_WRONG_SUMS: Final = {"open": "open-count-wrong", "stored": "stored-bytes-wrong"}


class Repairs:
    """Transitions that only operators ask for. Every method raises `QueueUnavailableError` when Redis is away."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._scripts = Scripts(client)

    def is_known(self, job_id: str) -> bool:
        """Whether the job store has the job."""
        with translated_errors():
            return self._client.hget(f"{PREFIX}job:{job_id}", "owner") is not None

    def counts(self, job_id: str) -> Counter[State]:
        """The items of a job by state; of a job that is not there, none."""
        with translated_errors():
            fields = self._client.hgetall(f"{PREFIX}job:{job_id}")
        return +Counter({state: int(fields.get(state, 0)) for state in State})

    def restore(self, job: RestoredJob) -> tuple[RestoreAnswer, tuple[str, ...]]:
        """Take a job back whole unless it is known. Returns also the job if it turned out to have ended.

        The items of a bulk job come later (`Filler`).
        """
        spec = job.spec
        answer = self._scripts.run(
            "restore",
            *(
                spec.id,
                spec.owner,
                spec.model,
                spec.bucket,
                spec.priority.rank,
                spec.pixels,
                _or_empty(job.deadline_ms),
            ),
            *(spec.picture_format, spec.picture_quality, spec_head(spec), spec.request_digest),
            *(job.created_ms, _or_empty(job.started_ms), _or_empty(job.finished_ms)),
            *(int(job.is_recorded), job.newest_fence, job.input_bytes, job.endings),
            *_webhook_arguments(job.webhook),
            spec.total,
            *item_arguments(job.items),
        )
        return RestoreAnswer(answer[0]), tuple(answer[1]) if len(answer) > 1 else ()

    def retry(self, items: Sequence[tuple[str, str]]) -> list[RetryAnswer]:
        """Put ended items back with fresh losses and open their jobs again.

        Each is a pair: name of a dead letter and "", or name of a succeeded item and the key of its picture, which is
        gone.
        """
        answers = self._scripts.run("retry", *(value for item in items for value in item))
        return [RetryAnswer(answer) for answer in answers]

    def audit(self, job_id: str, *, fix: bool) -> list[Disagreement]:
        """Where a job, its items and the lists of waiting and running items disagree.

        A large job is looked at a range at a time. The numbers of its items by state are compared only when it does not
        change meanwhile.
        """
        found: list[Disagreement] = []
        first = 0
        before: list[str | int] = []
        while first >= 0:
            rows, first, changes, sums = self._scripts.run("audit", job_id, int(fix), first, _AUDITED_AT_ONCE, *before)
            found += [Disagreement(kind=kind, where=where, mended=bool(mended)) for kind, where, mended in rows]
            before = [changes, *sums]
        return found

    def balance(self, *, fix: bool) -> Balance:
        """All items ever accepted and what became of them, in one moment."""
        fields, open_items, rows = self._scripts.run("balance", int(fix))
        totals: Counter[str] = Counter()
        for name, count in zip(fields[::2], fields[1::2], strict=True):
            kind, _, state, reason = name.split("|")
            if kind == "items":
                totals[_UNDONE[reason] if state == "retried" else state] += (
                    -int(count) if state == "retried" else int(count)
                )
        wrong = [
            Disagreement(kind=_WRONG_SUMS[sums], where=f"{name}: {noted}, really {real}", mended=fix)
            for sums, name, noted, real in rows
        ]
        return Balance(
            accepted=totals["accepted"],
            ended={state: totals[state] for state in State if state.is_final},
            open_items=open_items,
            wrong=wrong,
        )

    def recount(self, job_id: str, *, stored_bytes: int, fix: bool) -> list[Disagreement]:
        """Whether an ended job has noted how much is stored of it. One that has not ended is not judged."""
        noted = self._scripts.run("recount", job_id, stored_bytes, int(fix))
        if noted == stored_bytes:
            return []
        where = f"{job_id}: {noted}, really {stored_bytes}"
        return [Disagreement(kind="stored-bytes-wrong", where=where, mended=fix)]

    def owners(self) -> list[str]:
        """Everyone who ever had a job."""
        with translated_errors():
            fields = self._client.hgetall(f"{PREFIX}open")
        return sorted(field.removeprefix("items:") for field in fields if field.startswith("items:"))

    def is_gone(self, job_id: str) -> bool:
        """Whether the job was there and was removed after its retention time."""
        with translated_errors():
            return self._client.get(f"{PREFIX}gone:{job_id}") is not None

    def is_reserved(self, job_id: str) -> bool:
        """Whether somebody stores inputs for a job of this id just now."""
        with translated_errors():
            return self._client.get(f"{PREFIX}reserved:{job_id}") is not None

    def description(self, job_id: str) -> JobSpec:
        """`job.json` of a job that the job store has. Raises `JobUnknownError`."""
        with translated_errors():
            job = self._client.hgetall(f"{PREFIX}job:{job_id}")
            head = json.loads(job.get("spec", "{}"))
            pipeline = self._client.pipeline(transaction=False)
            for index in range(0 if head.get("bulk") else int(job.get("total", 0))):
                pipeline.hgetall(f"{PREFIX}item:{job_id}:{index}")
            rows = pipeline.execute()
        if not job or not all(rows):
            raise JobUnknownError(job_id)
        items = [
            ItemSpec(
                index=index,
                file=row["file"],
                label_map_key=row["map"],
                instance_map_key=row["instance"] or None,
                seed=int(row["seed"]),
            )
            for index, row in enumerate(rows)
        ]
        del head["seed"]
        return JobSpec.from_json(json.dumps({**head, "items": [asdict(item) for item in items]}))


def item_arguments(items: Sequence[RestoredItem]) -> list[str | int]:
    """Items as `restore_item` of common.lua takes them."""
    return [
        value
        for item in items
        for value in (
            *(item.spec.label_map_key, item.spec.instance_map_key or "", item.spec.seed, item.spec.file),
            *(
                item.state,
                item.attempts,
                item.reason or "",
                item.detail or "",
                item.picture_key or "",
                item.digest or "",
            ),
            *(_or_empty(item.size_bytes), json.dumps(item.timings), _or_empty(item.fence)),
        )
    ]


def _webhook_arguments(webhook: WebhookView | None) -> tuple[str | int, ...]:
    if webhook is None:
        return ("", 0, "", "")
    return (webhook.state, webhook.attempts, _or_empty(webhook.delivered_ms), webhook.error or "")


def _or_empty(value: int | None) -> int | str:
    return "" if value is None else value
