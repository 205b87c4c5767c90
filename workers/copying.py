"""Items that have a twin, whose picture is there already: it is copied, and nothing is computed."""

import hashlib
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from spade.pictures import MEDIA_TYPES
from workers.errors import ServiceError
from workers.item_logs import batch_fields, item_fields
from workers.leases import LeaseKeeper
from workers.messages import Batch, ClaimedItem, Result, picture_key
from workers.metrics import WorkerMetrics
from workers.publishing import Publisher, Stored
from workers.storage import ObjectStore
from workers.traces import Ending, Stage
from workers.twins import Twin

_AT_ONCE: Final = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What is left of a batch to compute, and the jobs that ended with the copies."""

    rest: Batch
    ended_jobs: tuple[str, ...]


class Copier:
    """Publishes a picture for each item whose twin has one, under the item's own name and fence."""

    def __init__(
        self, *, objects: ObjectStore, publisher: Publisher, leases: LeaseKeeper, metrics: WorkerMetrics
    ) -> None:
        self._objects = objects
        self._publisher = publisher
        self._leases = leases
        self._metrics = metrics

    def copy(self, batch: Batch) -> Copied:
        """Publish what can be copied. What cannot is left in the batch: its twin's picture is gone, damaged or away.

        Where the job store is away the copied items are left to the reaper.
        """
        twins = [(item, item.twin) for item in batch.items if item.twin is not None]
        if not twins:
            return Copied(rest=batch, ended_jobs=())
        with ThreadPoolExecutor(_AT_ONCE, "copy") as pool:
            stored = [one for one in pool.map(lambda pair: self._copy_one(batch.model, *pair), twins) if one]
        ended = self._publish(batch, stored) if stored else ()
        copied = {one.result.item.id for one in stored}
        return Copied(
            rest=replace(batch, items=tuple(item for item in batch.items if item.id not in copied)), ended_jobs=ended
        )

    def _copy_one(self, model: str, item: ClaimedItem, twin: Twin) -> Stored | None:
        started = time.perf_counter()
        key = picture_key(item.job_id, item.index, item.fence, item.picture_format)
        try:
            data = self._objects.get(twin.picture_key)
            if hashlib.sha256(data).hexdigest() != twin.digest:
                _log.warning("twin damaged", extra={**item_fields(item), "picture": twin.picture_key})
                return None
            self._objects.put(key, data, content_type=MEDIA_TYPES[item.picture_format])
        except ServiceError as error:
            _log.info("twin not copied", extra={**item_fields(item), "error": str(error)})
            return None
        copying = Stage(name="copy", began=started, ended=time.perf_counter())
        self._metrics.stage_seconds.labels(model, "wait").observe(item.waited_ms / 1000)
        self._metrics.stage_seconds.labels(model, "copy").observe(copying.seconds)
        result = Result(
            item=item,
            picture_key=key,
            digest=twin.digest,
            size_bytes=twin.size_bytes,
            timings={"wait": item.waited_ms / 1000, "copy": copying.seconds},
        )
        return Stored(result=result, stages=(copying,))

    def _publish(self, batch: Batch, stored: Sequence[Stored]) -> tuple[str, ...]:
        try:
            ended = self._publisher.commit(batch, stored, Ending.COPIED)
        except ServiceError as error:
            _log.error(
                "copies left to the reaper",
                extra={
                    "bucket": batch.bucket,
                    **batch_fields([one.result.item for one in stored]),
                    "error": str(error),
                },
            )
            return ()
        finally:
            self._leases.let_go([one.result.item for one in stored])
        self._metrics.coalesced.labels(batch.model).inc(len(stored))
        return ended
