"""From pictures to published results: encode, upload, then commit under the fences, while the next batch computes."""

import hashlib
import logging
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from spade.pictures import MEDIA_TYPES, encode_picture
from workers.errors import QueueUnavailableError, StorageUnavailableError
from workers.inputs import Inputs
from workers.job_store import JobStore
from workers.leases import LeaseKeeper
from workers.messages import ClaimedItem, Result, picture_key
from workers.metrics import WorkerMetrics
from workers.storage import ObjectStore

_log = logging.getLogger(__name__)
_GIVE_UP_SECONDS: Final = 60.0


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
    ) -> None:
        self._store = store
        self._objects = objects
        self._leases = leases
        self._metrics = metrics
        self._wake = wake

    def publish(self, inputs: Inputs, pictures: NDArray[np.uint8], timings: dict[str, float]) -> tuple[str, ...]:
        """Publish a batch. Returns the jobs that ended with it."""
        model = inputs.batch.model
        try:
            results = [
                self._store_picture(model, item, pixels, timings)
                for item, pixels in zip(inputs.items, pictures, strict=True)
            ]
            return self.commit(model, results, pixels=pictures.shape[1] * pictures.shape[2])
        except StorageUnavailableError as error:
            _log.error("pictures not stored, items go back", extra={"model": model, "error": str(error)})
            return self._store.release(inputs.items)
        finally:
            self._leases.let_go(inputs.items)

    def _store_picture(
        self, model: str, item: ClaimedItem, pixels: NDArray[np.uint8], timings: dict[str, float]
    ) -> Result:
        started = time.perf_counter()
        data = encode_picture(pixels, item.picture_format, item.picture_quality)
        encoded = time.perf_counter()
        key = picture_key(item.job_id, item.index, item.fence, item.picture_format)
        for attempt in _retrying(StorageUnavailableError):
            with attempt:
                self._objects.put(key, data, content_type=MEDIA_TYPES[item.picture_format])
        uploaded = time.perf_counter()
        self._metrics.stage_seconds.labels(model, "encode").observe(encoded - started)
        self._metrics.stage_seconds.labels(model, "upload").observe(uploaded - encoded)
        return Result(
            item=item,
            picture_key=key,
            digest=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            timings={
                "wait": item.waited_ms / 1000,
                **timings,
                "encode": encoded - started,
                "upload": uploaded - encoded,
            },
        )

    def commit(self, model: str, results: list[Result], *, pixels: int) -> tuple[str, ...]:
        """Publish stored pictures of so many pixels each. Returns the jobs that ended with them.

        Raises `QueueUnavailableError` when Redis stays away, `StorageUnavailableError` when a late one is not removed.
        """
        started = time.perf_counter()
        for attempt in _retrying(QueueUnavailableError):
            with attempt:
                commit = self._store.commit(results)
        self._metrics.stage_seconds.labels(model, "commit").observe(time.perf_counter() - started)
        for result, published, unknown in zip(results, commit.published, commit.unknown, strict=True):
            if published:
                self._metrics.pictures.labels(model).inc()
                self._metrics.pixels.labels(model).inc(pixels)
            else:
                self._metrics.refused.labels(model).inc()
                _log.warning("result came too late", extra={"item": result.item.id, "fence": result.item.fence})
                if not unknown:  # of an item that Redis has lost, the picture is the result when it is requeued
                    self._objects.delete(result.picture_key)
        if commit.freed:
            self._wake(model)  # whoever looked while they were waiting for these pictures found nothing
        return commit.ended_jobs


def _retrying(error: type[Exception]) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(error),
        wait=wait_random_exponential(multiplier=0.1, max=5.0),
        stop=stop_after_delay(_GIVE_UP_SECONDS),
        reraise=True,
    )
