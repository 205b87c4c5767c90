"""Bringing the items of bulk jobs into the job store, some at a time.

A bulk job is accepted whole, with all its items counted, before any of them is there. From then on whoever has the time
brings them in: each step says how many were there before, so that it may be repeated, broken off at any point and done
by several at once. The lists of them are in the object store, so that the same way leads back after a loss of Redis.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from workers import bulk, journal
from workers.errors import JobUnknownError, ObjectMissingError, StorageUnavailableError
from workers.job_store import JobStore
from workers.messages import ItemSpec, JobSpec, State, record_key
from workers.rebuilding import rebuild_item
from workers.redis_client import PREFIX, RedisClient, translated_errors
from workers.repairs import Repairs, RestoredItem, item_arguments
from workers.scripts import Scripts
from workers.storage import ObjectStore
from workers.stored_jobs import StoredPicture, stored_job

_AT_ONCE: Final = 250
"""Items of one call: Redis is busy with them for some milliseconds."""
_TURN: Final = "*filling*"  # no id of a job
_TURN_SECONDS: Final = 30.0
_READING_THREADS: Final = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """What the object store knows of the items of a job that Redis had lost; of a new job nothing."""

    journal: dict[int, bytes] = field(default_factory=dict)
    pictures: dict[int, StoredPicture] = field(default_factory=dict)
    is_final: bool = False
    finished_ms: int | None = None


class Filler:
    """Methods raise `QueueUnavailableError` or `StorageUnavailableError`; what is not done then is done later."""

    def __init__(self, client: RedisClient, *, store: JobStore, objects: ObjectStore, at_once: int = _AT_ONCE) -> None:
        self._at_once = at_once
        self._client = client
        self._store = store
        self._objects = objects
        self._repairs = Repairs(client)
        self._scripts = Scripts(client)

    def fill_all(self, *, holder: str, wake: Callable[[str], None], stop: threading.Event) -> None:
        """Bring in the items of every job that lacks some, unless somebody else is about it already.

        A job of which the object store does not hand out what is needed keeps none of the others waiting.
        """
        with translated_errors():
            waiting = self._client.zrange(f"{PREFIX}filling", 0, -1)
        if not waiting or not self._store.reserve(_TURN, holder=holder, seconds=_TURN_SECONDS):
            return

        def next_step(model: str) -> bool:
            wake(model)
            return not stop.is_set() and self._store.keep_reserved(_TURN, holder=holder, seconds=_TURN_SECONDS)

        try:
            for job_id in waiting:
                try:
                    self.fill(job_id, next_step=next_step)
                except StorageUnavailableError as error:
                    self._objects.ping()
                    _log.warning("items of a bulk job wait", extra={"job": job_id, "error": str(error)})
        finally:
            self._store.unreserve(_TURN, holder=holder)

    def fill(self, job_id: str, *, next_step: Callable[[str], bool] = lambda _: True) -> tuple[str, ...]:
        """Bring in what a job lacks; after each step `next_step` is told the model and says whether to go on.

        Returns the job if it ended with that.
        """
        filled = self._filled(job_id)
        if filled is None:
            return ()
        try:
            spec = self._repairs.description(job_id)
            return self._fill(spec, self._past(spec), filled, next_step)
        except (JobUnknownError, ObjectMissingError, ValueError, TypeError, KeyError) as error:
            _log.error("items of a bulk job cannot be read", extra={"job": job_id, "error": str(error)})
            return ()

    def _fill(self, spec: JobSpec, past: _Past, filled: int, next_step: Callable[[str], bool]) -> tuple[str, ...]:
        fence = max((picture.fence for picture in past.pictures.values()), default=0)
        finished = "" if past.finished_ms is None else past.finished_ms
        items = self._items(spec, past, filled)
        while some := list(islice(items, self._at_once)):
            now, ended = self._scripts.run("fill", spec.id, filled, fence, finished, *item_arguments(some))
            if now < 0 or not next_step(spec.model) or now >= spec.total:
                return tuple(ended)
            if now != filled + len(some):  # somebody else was quicker
                items = self._items(spec, past, now)
            filled = now
        return ()

    def _items(self, spec: JobSpec, past: _Past, start: int) -> Iterator[RestoredItem]:
        items = bulk.read_items(self._objects, spec, start=start)
        if not past.journal and not past.pictures:
            yield from (RestoredItem(spec=item) for item in items)
            return

        def rebuild(item: ItemSpec) -> RestoredItem:
            line = past.journal.get(item.index)
            values: dict[str, Any] | None = None if line is None else json.loads(line)
            picture = past.pictures.get(item.index)
            return rebuild_item(self._objects, item, values, picture, is_final=past.is_final)

        with ThreadPoolExecutor(_READING_THREADS) as pool:
            while some := list(islice(items, self._at_once)):
                yield from pool.map(rebuild, some)

    def _filled(self, job_id: str) -> int | None:
        with translated_errors():
            filled = self._client.hget(f"{PREFIX}job:{job_id}", "filled")
        return None if filled is None else int(filled)

    def _past(self, spec: JobSpec) -> _Past:
        with translated_errors():
            if self._client.hget(f"{PREFIX}job:{spec.id}", "restored") is None:
                return _Past()
        pictures = stored_job(self._objects, spec.id).newest_pictures()
        try:
            record = json.loads(self._objects.get(record_key(spec.id)))
        except ObjectMissingError:
            return _Past(pictures=pictures)
        if record["request_digest"] != spec.request_digest:
            return _Past(pictures=pictures)  # of a job that was there before under this id
        return _Past(
            journal=journal.read(self._objects, spec.id),
            pictures=pictures,
            is_final=State(record["state"]).is_final,
            finished_ms=record["finished_ms"],
        )
