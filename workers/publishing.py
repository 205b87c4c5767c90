"""From pictures to published results: encode, upload, then commit under the fences, while the next batch computes."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from spade.pictures import MEDIA_TYPES, encode_picture
from workers.errors import QueueUnavailableError, StorageUnavailableError
from workers.inputs import Inputs
from workers.item_logs import batch_fields, debug_each, item_fields
from workers.job_store import JobStore
from workers.leases import LeaseKeeper
from workers.messages import Batch, ClaimedItem, Result, picture_key
from workers.metrics import WorkerMetrics
from workers.storage import ObjectStore
from workers.traces import Ending, Stage, Traces

_log = logging.getLogger(__name__)
_GIVE_UP_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A picture that is stored, to be committed, and what was done for it since its item was claimed."""

    result: Result
    stages: tuple[Stage, ...]


class Publisher:
    """Stores and commits the pictures of a batch; what cannot be stored in a minute goes back to the queue."""

    def __init__(
        self,
        *,
        store: JobStore,
        objects: ObjectStore,
        leases: LeaseKeeper,
        metrics: WorkerMetrics,
        wake: Callable[[str], None],
        traces: Traces,
    ) -> None:
        self._store = store
        self._objects = objects
        self._leases = leases
        self._metrics = metrics
        self._wake = wake
        self._traces = traces

    def publish(self, inputs: Inputs, pictures: NDArray[np.uint8], timings: dict[str, float]) -> tuple[str, ...]:
        """Publish a batch. Returns the jobs that ended with it."""
        batch = inputs.batch
        try:
            stored = [
                self._store_picture(inputs, item, pixels, timings)
                for item, pixels in zip(inputs.items, pictures, strict=True)
            ]
        except StorageUnavailableError as error:
            told = {"model": batch.model, **batch_fields(inputs.items), "error": str(error)}
            _log.error("pictures not stored, items go back", extra=told)
            ended = self._store.release(inputs.items)
            for item in inputs.items:
                self._traces.attempt(batch, item, inputs.stages, Ending.RELEASED, detail=str(error))
            return ended
        else:
            return self.commit(batch, stored, Ending.PUBLISHED)
        finally:
            self._leases.let_go(inputs.items)

    def _store_picture(
        self, inputs: Inputs, item: ClaimedItem, pixels: NDArray[np.uint8], timings: dict[str, float]
    ) -> Stored:
        model = inputs.batch.model
        started = time.perf_counter()
        data = encode_picture(pixels, item.picture_format, item.picture_quality)
        encoded = time.perf_counter()
        key = picture_key(item.job_id, item.index, item.fence, item.picture_format)
        for attempt in _retrying(StorageUnavailableError):
            with attempt:
                self._objects.put(key, data, content_type=MEDIA_TYPES[item.picture_format])
        encoding = Stage(name="encode", began=started, ended=encoded)
        upload = Stage(name="upload", began=encoded, ended=time.perf_counter())
        self._metrics.stage_seconds.labels(model, "encode").observe(encoding.seconds)
        self._metrics.stage_seconds.labels(model, "upload").observe(upload.seconds)
        result = Result(
            item=item,
            picture_key=key,
            digest=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            timings={
                "wait": item.waited_ms / 1000,
                **timings,
                "encode": encoding.seconds,
                "upload": upload.seconds,
            },
        )
        debug_each(_log, "item stored", [item])
        return Stored(result=result, stages=(*inputs.stages, encoding, upload))

    def commit(self, batch: Batch, stored: Sequence[Stored], outcome: Ending) -> tuple[str, ...]:
        """Publish stored pictures, with that outcome if they are in time. Returns the jobs that ended with them.

        A late one that cannot be removed is left to the audit. Raises `QueueUnavailableError` when Redis stays away.
        """
        started = time.perf_counter()
        for attempt in _retrying(QueueUnavailableError):
            with attempt:
                commit = self._store.commit([one.result for one in stored])
        committing = Stage(name="commit", began=started, ended=time.perf_counter())
        self._metrics.stage_seconds.labels(batch.model, "commit").observe(committing.seconds)
        self._tell_published(
            batch, [one for one, good in zip(stored, commit.published, strict=True) if good], committing
        )
        for one, published in zip(stored, commit.published, strict=True):
            how = outcome if published else Ending.REFUSED
            self._traces.attempt(batch, one.result.item, (*one.stages, committing), how)
        late = [bad for bad in zip(stored, commit.published, commit.unknown, strict=True) if not bad[1]]
        for one, _, unknown in late:
            self._metrics.refused.labels(batch.model).inc()
            _log.warning("result came too late", extra=item_fields(one.result.item))
            if not unknown:  # of an item that Redis has lost, the picture is the result when it is requeued
                self._remove(one.result)
        if commit.freed:
            self._wake(batch.model)  # whoever looked while they were waiting for these pictures found nothing
        return commit.ended_jobs

    def _remove(self, late: Result) -> None:
        try:
            self._objects.delete(late.picture_key)
        except StorageUnavailableError as error:
            _log.warning("late picture not removed", extra={**item_fields(late.item), "error": str(error)})

    def _tell_published(self, batch: Batch, stored: Sequence[Stored], committing: Stage) -> None:
        if not stored:
            return
        items = [one.result.item for one in stored]
        self._metrics.pictures.labels(batch.model).inc(len(items))
        self._metrics.pixels.labels(batch.model).inc(len(items) * batch.pixels)
        for item in items:
            self._metrics.item_seconds.labels(batch.model).observe(
                item.waited_ms / 1000 + committing.ended - batch.claimed_at
            )
        seconds: dict[str, float] = {}
        for stage, share in (pair for one in stored for pair in one.result.timings.items() if pair[0] != "wait"):
            seconds[stage] = seconds.get(stage, 0.0) + share
        seconds["commit"] = committing.seconds
        _log.info("batch published", extra={"bucket": batch.bucket, **batch_fields(items), "seconds": seconds})
        debug_each(_log, "item committed", items)


def _retrying(error: type[Exception]) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(error),
        wait=wait_random_exponential(multiplier=0.1, max=5.0),
        stop=stop_after_delay(_GIVE_UP_SECONDS),
        reraise=True,
    )
