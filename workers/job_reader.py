"""Reads of the job store: what a client, a dashboard or the recorder wants to know. Nothing here changes anything."""

import json
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from workers.errors import JobExpiredError, JobUnknownError
from workers.figures import QueuePosition, QueueStats, StoreStats, Total
from workers.messages import ItemView, JobView, Priority, State
from workers.redis_client import PREFIX, RedisClient, translated_errors
from workers.styles import Style
from workers.webhook_messages import WebhookState, WebhookView

_PAGE: Final = 100
_PAGE_ITEMS: Final = 500
_AFTER_COLON: Final = ";"
_LAST: Final = "~"  # sorts behind every name of an item
_SLOT_SECONDS: Final = 10
_RATE_SLOTS: Final = 6


class JobReader:
    """Views of jobs, items and queues. Every method raises `QueueUnavailableError` when Redis is away."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def ping(self) -> None:
        """Return if Redis answers."""
        with translated_errors():
            self._client.ping()

    def job(self, job_id: str, *, owner: str | None = None) -> JobView:
        """The job; with `owner`, only if it is theirs. Raises `JobUnknownError` or `JobExpiredError`."""
        with translated_errors():
            fields = self._client.hgetall(f"{PREFIX}job:{job_id}")
            former_owner = None if fields else self._client.get(f"{PREFIX}gone:{job_id}")
        if former_owner is not None and owner in (None, former_owner):
            raise JobExpiredError(job_id)
        if not fields or owner not in (None, fields["owner"]):
            raise JobUnknownError(job_id)
        return _job_view(job_id, fields)

    def is_taken(self, job_id: str) -> bool:
        """Whether there is, or was, a job with this id, whoever's it is."""
        with translated_errors():
            return bool(self._client.exists(f"{PREFIX}job:{job_id}", f"{PREFIX}gone:{job_id}"))

    def item(self, job_id: str, index: int) -> ItemView:
        """One item of a job that the caller has looked up. Raises `JobUnknownError` when there is no such index."""
        with translated_errors():
            fields = self._client.hgetall(f"{PREFIX}item:{job_id}:{index}")
        if not fields:
            raise JobUnknownError(f"{job_id}/items/{index}")
        return _item_view(index, fields)

    def items(self, job: JobView, *, start: int = 0, count: int | None = None) -> list[ItemView]:
        """The items `start` to `start + count` of a job, in order, as far as they have come in.

        Raises `JobExpiredError` if it is gone.
        """
        stop = job.filled if count is None else min(job.filled, start + count)
        return self._items(job.id, range(start, stop))

    def pages(self, job: JobView) -> Iterator[list[ItemView]]:
        """All items of a job, some at a time. Raises `JobExpiredError` if it is gone."""
        for start in range(0, job.filled, _PAGE_ITEMS):
            yield self.items(job, start=start, count=_PAGE_ITEMS)

    def jobs(self, owner: str, *, before: tuple[int, str] | None = None) -> Iterator[JobView]:
        """An owner's jobs, newest first, from after `before` = (created_ms, id) of the last one seen."""
        key = f"{PREFIX}jobs:{owner}"
        while True:
            newest = "+inf" if before is None else before[0]
            # Jobs of the same millisecond share a score: ask for enough to get past those already seen.
            with translated_errors():
                same = 0 if before is None else self._client.zcount(key, before[0], before[0])
                rows = self._client.zrevrangebyscore(key, newest, "-inf", start=0, num=_PAGE + same, withscores=True)
            page = [(int(score), job_id) for job_id, score in rows if before is None or (int(score), job_id) < before]
            for created_ms, job_id in page:
                before = (created_ms, job_id)
                try:
                    yield self.job(job_id, owner=owner)
                except (JobExpiredError, JobUnknownError):
                    continue  # removed between the two reads
            if not page:
                return

    def position(self, job: JobView) -> QueuePosition | None:
        """Where a waiting job stands: items ahead, and seconds until its last item is likely to be done."""
        waiting = f"{PREFIX}waiting:{job.model}:"
        key = f"{waiting}{job.priority.rank}"
        with translated_errors():
            low = self._client.zcount(key, "-inf", f"({job.created_ms}")
            high = self._client.zcount(key, "-inf", job.created_ms)
            ahead = sum(self._client.zcard(f"{waiting}{rank}") for rank in range(job.priority.rank))

            def name(rank: int) -> str:
                return next(iter(self._client.zrange(key, rank, rank)), _LAST)

            # Items of one moment are in the order of their names, so that those of a job follow one another.
            first = bisect_left(range(low, high), f"{job.id}:", key=name) + low
            last = bisect_left(range(low, high), f"{job.id}{_AFTER_COLON}", key=name) + low
        not_there_yet = job.total - job.filled
        if last + not_there_yet == first:
            return None
        rate = self._drain_rate(job.model)
        pixels = (ahead + last + not_there_yet) * job.height * job.width
        return QueuePosition(position=ahead + first, eta_seconds=pixels / rate if rate else None)

    def newest_waiting_ms(self, model: str) -> float | None:
        """When the newest of a model's jobs with waiting items was accepted, Unix time; None where none waits."""
        keys = [f"{PREFIX}waiting:{model}:{priority.rank}" for priority in Priority]
        with translated_errors():
            rows = [self._client.zrevrangebyscore(k, "+inf", "-inf", start=0, num=1, withscores=True) for k in keys]
        return max((created_ms for row in rows for _, created_ms in row), default=None)

    def settled_items(self, job: JobView, *, start: int, count: int) -> list[ItemView]:
        """Items that have come to their final states, in that order: from the `start`th on, at most `count`.

        Raises `JobExpiredError` if the job is gone.
        """
        with translated_errors():
            indices = self._client.lrange(f"{PREFIX}settled:{job.id}", start, start + count - 1)
        return self._items(job.id, [int(index) for index in indices])

    @contextmanager
    def listening(self, job_id: str) -> Iterator[Callable[[float], bool]]:
        """A function that waits at most so many seconds for a change of the job, and tells whether there was any.

        What changes once the block has begun is heard. Changes that happened since the last call count as one.
        """
        with translated_errors(), self._client.pubsub() as pubsub:
            pubsub.subscribe(f"{PREFIX}changes:{job_id}")
            pubsub.get_message(timeout=2.0)  # the confirmation

            def wait(seconds: float) -> bool:
                deadline = time.monotonic() + seconds
                with translated_errors():
                    while (left := deadline - time.monotonic()) > 0:
                        if _is_change(pubsub.get_message(timeout=min(left, 5.0))):
                            while pubsub.get_message(timeout=0.0) is not None:
                                pass  # the same news
                            return True
                return False

            yield wait

    def stats(self) -> StoreStats:
        """Depth, age and rate of every queue, and what is open in all."""
        with translated_errors():
            models = sorted(self._client.smembers(f"{PREFIX}models"))
            open_now = self._client.hgetall(f"{PREFIX}open")
            return StoreStats(
                queues=tuple(self._queue_stats(model) for model in models),
                leases=self._client.zcard(f"{PREFIX}leases"),
                open_items=int(open_now.get("items", 0)),
                open_pixels=int(open_now.get("pixels", 0)),
                dead_letters=self._client.zcard(f"{PREFIX}dead"),
                pending_webhooks=sum(
                    self._client.zcard(f"{PREFIX}webhooks:{owner}")
                    for owner in self._client.zrange(f"{PREFIX}webhooks", 0, -1)
                ),
                totals=tuple(
                    Total(kind=kind, model=model, state=state, reason=reason, count=int(count))
                    for field, count in sorted(self._client.hgetall(f"{PREFIX}totals").items())
                    for kind, model, state, reason in [field.split("|")]
                ),
            )

    def _items(self, job_id: str, indices: Sequence[int]) -> list[ItemView]:
        with translated_errors():
            pipeline = self._client.pipeline(transaction=False)
            for index in indices:
                pipeline.hgetall(f"{PREFIX}item:{job_id}:{index}")
            rows = pipeline.execute()
        if not all(rows):
            raise JobExpiredError(job_id)
        return [_item_view(index, fields) for index, fields in zip(indices, rows, strict=True)]

    def _queue_stats(self, model: str) -> QueueStats:
        keys = {priority: f"{PREFIX}waiting:{model}:{priority.rank}" for priority in Priority}
        now = self._now()
        return QueueStats(
            model=model,
            waiting={priority: self._client.zcard(key) for priority, key in keys.items()},
            oldest_seconds={priority: self._age_of_first(key, now) for priority, key in keys.items()},
            drained_pixels_per_second=self._drain_rate(model),
        )

    def _age_of_first(self, key: str, now: float) -> float:
        ages = [now - created_ms / 1000 for _, created_ms in self._client.zrange(key, 0, 0, withscores=True)]
        return max(0.0, *ages) if ages else 0.0

    def _now(self) -> float:
        seconds, microseconds = self._client.time()
        return float(seconds) + float(microseconds) / 1e6

    def _drain_rate(self, model: str) -> float:
        """Pixels a second over the last minute: the running slot and the five before it, as in common.lua."""
        with translated_errors():
            slots = self._client.hgetall(f"{PREFIX}drain:{model}")
            now = self._now()
        oldest = now // _SLOT_SECONDS - _RATE_SLOTS
        pixels = sum(int(pixels) for slot, pixels in slots.items() if int(slot) > oldest)
        return pixels / ((_RATE_SLOTS - 1) * _SLOT_SECONDS + now % _SLOT_SECONDS)


def _is_change(message: dict[str, Any] | None) -> bool:
    return message is not None and message["type"] == "message"


def _optional_int(text: str | None) -> int | None:
    return None if text is None else int(text)


def _job_view(job_id: str, fields: dict[str, str]) -> JobView:
    spec: dict[str, Any] = json.loads(fields["spec"])
    counts = {state: int(fields[state]) for state in State}
    return JobView(
        id=job_id,
        owner=fields["owner"],
        state=State(fields["state"]),
        counts=counts,
        changes=int(fields["changes"]),
        created_ms=int(fields["created_ms"]),
        started_ms=_optional_int(fields.get("started_ms")),
        finished_ms=_optional_int(fields.get("finished_ms")),
        deadline_ms=_optional_int(fields.get("deadline_ms")),
        request_digest=fields["digest"],
        model=spec["model"],
        model_version=spec["model_version"],
        weights_digest=spec["weights_digest"],
        height=spec["height"],
        width=spec["width"],
        precision=spec["precision"],
        priority=Priority(spec["priority"]),
        picture_format=spec["picture_format"],
        picture_quality=spec["picture_quality"],
        style=Style.from_values(spec["style"]),
        labels=spec["labels"],
        seed=spec["seed"],
        is_bulk=spec["bulk"] is not None,
        filled=int(fields.get("filled", sum(counts.values()))),
        webhook=_webhook_view(spec.get("webhook"), fields),
        endings=int(fields.get("endings", 0)),
    )


def _webhook_view(url: str | None, fields: dict[str, str]) -> WebhookView | None:
    if url is None:
        return None
    return WebhookView(
        url=url,
        state=WebhookState(fields.get("webhook_state", WebhookState.PENDING)),
        attempts=int(fields.get("webhook_attempts", 0)),
        delivered_ms=_optional_int(fields.get("webhook_ms")),
        error=fields.get("webhook_error") or None,
    )


def _item_view(index: int, fields: dict[str, str]) -> ItemView:
    return ItemView(
        index=index,
        file=fields["file"],
        seed=int(fields["seed"]),
        state=State(fields["state"]),
        attempts=int(fields["attempts"]),
        reason=fields.get("reason"),
        detail=fields.get("detail"),
        picture_key=fields.get("picture"),
        digest=fields.get("digest"),
        size_bytes=_optional_int(fields.get("bytes")),
        timings=json.loads(fields.get("timings", "{}")),
        label_map_key=fields["map"],
        fence=_optional_int(fields.get("fence")),
    )
