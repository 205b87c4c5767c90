"""The worker's loop: while the engine computes one batch, the next is fetched and the ones before are stored."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tenacity import (
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

from model_store.registry import Registry
from spade.errors import ConfigError, OutOfMemoryError, SpadeError
from workers.copying import Copier
from workers.engine import Engine
from workers.errors import QueueUnavailableError, ServiceError, StorageUnavailableError
from workers.inputs import InputLoader, Inputs
from workers.job_store import JobStore
from workers.leases import LeaseKeeper
from workers.messages import Batch, ClaimedItem
from workers.metrics import WorkerMetrics
from workers.publishing import Publisher
from workers.sent_maps import InputError
from workers.served_models import ServedModels
from workers.storage import ObjectStore

_PUBLISHERS: Final = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLimits:
    """What one worker takes at once, and under which name."""

    worker: str
    device: str
    models: ServedModels
    max_items: int
    max_pixels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineParts:
    """What the loop works with."""

    store: JobStore
    objects: ObjectStore
    registry: Registry
    engine: Engine
    leases: LeaseKeeper
    publisher: Publisher
    copier: Copier
    metrics: WorkerMetrics
    wake: Callable[[str], None]  # tells another worker that a model has more waiting
    record: Callable[[tuple[str, ...]], None]  # stores the final records of ended jobs


class Progress:
    """When the loop last did something, for the liveness probe. `busy` is set while it drains the queue."""

    def __init__(self) -> None:
        self.busy = threading.Event()
        self._noted = time.monotonic()

    def note(self) -> None:
        """The loop did something just now."""
        self._noted = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """Since the last note."""
        return time.monotonic() - self._noted


class Pipeline:
    """Claims, computes and publishes until the queue is empty, time is up or `stop` is set."""

    def __init__(self, parts: PipelineParts, limits: ClaimLimits, *, stop: threading.Event) -> None:
        self._parts = parts
        self._limits = limits
        self._stop = stop
        self._requeued = threading.Event()
        self.progress = Progress()

    def drain(self, *, seconds: float) -> bool:
        """Work through what waits, for about `seconds`; True if it ended because they were over.

        What was claimed is finished or given back, also when `stop` is set.
        """
        until = time.monotonic() + seconds
        slots = threading.BoundedSemaphore(_PUBLISHERS)  # finished batches in memory
        self.progress.busy.set()
        try:
            with ThreadPoolExecutor(1, "fetch") as fetcher, ThreadPoolExecutor(_PUBLISHERS, "publish") as publisher:
                for inputs in self._fetched(fetcher, until):
                    if self._stop.is_set():
                        self._give_back(self._parts.store.release, inputs.items)
                    elif (computed := self._compute(inputs)) is not None:
                        slots.acquire()
                        publisher.submit(self._publish, *computed).add_done_callback(lambda _: slots.release())
        finally:
            self.progress.busy.clear()
        return time.monotonic() >= until and not self._stop.is_set()

    def _fetched(self, fetcher: ThreadPoolExecutor, until: float) -> Iterator[Inputs]:
        """Batches, each fetched while the caller works on the one before."""
        upcoming = fetcher.submit(self._next, until, True)
        while True:
            inputs = upcoming.result()
            if inputs is None and not self._requeued.is_set():
                return
            self._requeued.clear()  # nothing waited when that fetch looked, but something was given back since
            upcoming = fetcher.submit(self._next, until, False)
            if inputs is not None:
                yield inputs

    def _next(self, until: float, first: bool) -> Inputs | None:
        """Claim and load a batch, waiting for Redis and the object store to come back if they are away."""
        waiting_for_parts = Retrying(
            retry=retry_if_exception_type((QueueUnavailableError, StorageUnavailableError)),
            wait=wait_random_exponential(multiplier=0.2, max=5.0),
            stop=stop_when_event_set(self._stop),
            sleep=sleep_using_event(self._stop),
            before_sleep=lambda state: (
                _log.warning("waiting", extra={"error": str(state.outcome.exception())}) if state.outcome else None
            ),
            reraise=True,
        )
        try:
            for attempt in waiting_for_parts:
                with attempt:
                    if attempt.retry_state.attempt_number > 1:
                        self._parts.objects.ping()  # before claiming what could not be fetched
                    return self._claim_and_load(until, announce_more=first)
        except (QueueUnavailableError, StorageUnavailableError) as error:
            _log.warning("stopped while a part was away", extra={"error": str(error)})
        return None

    def _claim_and_load(self, until: float, *, announce_more: bool) -> Inputs | None:
        limits = self._limits
        while not self._stop.is_set() and time.monotonic() < until:
            claim = self._parts.store.claim(
                worker=limits.worker,
                device=limits.device,
                models=limits.models.names,
                max_items=limits.max_items,
                max_pixels=limits.max_pixels,
            )
            self.progress.note()
            self._parts.record(claim.ended_jobs)
            if claim.batch is None and claim.more_waiting:
                continue  # as many late items as one claim ends stood before them
            if claim.batch is None:
                return None
            if announce_more and claim.more_waiting:
                self._parts.wake(claim.more_waiting)
            self._parts.leases.hold(claim.batch.items)
            copied = self._parts.copier.copy(claim.batch)
            self._parts.record(copied.ended_jobs)
            if copied.rest.items and (inputs := self._load(copied.rest)).items:
                return inputs
        return None

    def _load(self, batch: Batch) -> Inputs:
        """The inputs of the items that have some. Raises `StorageUnavailableError` when none could be fetched."""
        started = time.perf_counter()
        loaded: list[tuple[ClaimedItem, NDArray[np.int32], NDArray[np.int32]]] = []
        loader = InputLoader(self._parts.objects, self._parts.registry, batch)
        not_fetched: StorageUnavailableError | None = None
        stage_seconds = self._parts.metrics.stage_seconds
        for item in batch.items:
            stage_seconds.labels(batch.model, "wait").observe(item.waited_ms / 1000)
            try:
                loaded.append((item, *loader.load(item)))
            except InputError as error:
                self._fail([item], reason=error.reason, detail=str(error))
            except StorageUnavailableError as error:
                self._set_aside(item, batch, error)
                not_fetched = error
            except Exception as error:  # whatever reading raises concerns this item, neither the batch nor the loop
                self._lose([item], detail=f"{type(error).__name__}: {error}")
        if not_fetched is not None and not loaded:
            raise not_fetched
        stage_seconds.labels(batch.model, "decode").observe(time.perf_counter() - started)
        shape = (len(loaded), batch.height, batch.width)
        return Inputs(
            batch=batch,
            items=tuple(item for item, _, _ in loaded),
            label_maps=np.array([label_map for _, label_map, _ in loaded], dtype=np.int32).reshape(shape),
            instance_maps=np.array([instances for _, _, instances in loaded], dtype=np.int32).reshape(shape),
            decode_seconds=(time.perf_counter() - started) / len(batch.items),
            style_pictures=loader.style_pictures,
        )

    def _set_aside(self, item: ClaimedItem, batch: Batch, error: StorageUnavailableError) -> None:
        """Put behind the others what the store has but does not hand out; raise when it hands out nothing at all."""
        try:
            self._parts.objects.ping()
        except StorageUnavailableError:
            self._give_back(self._parts.store.release, batch.items)
            raise
        _log.warning("input not fetched", extra={"item": item.id, "error": str(error)})
        self._give_back(self._parts.store.postpone, [item])

    def _compute(self, inputs: Inputs) -> tuple[Inputs, NDArray[np.uint8], dict[str, float]] | None:
        """The pictures of the items that are still ours; None when there are none, or when the engine failed."""
        inputs = self._still_ours(inputs)
        if not inputs.items:
            return None
        batch = inputs.batch
        started = time.perf_counter()
        try:
            pictures = self._parts.engine.synthesize(inputs)
        except Exception as error:  # whatever the engine raises concerns this batch, not the loop
            self._engine_failed(inputs, error)
            return None
        finally:
            self.progress.note()
        seconds = time.perf_counter() - started
        self._parts.metrics.batch_items.labels(batch.model).observe(len(inputs.items))
        self._parts.metrics.stage_seconds.labels(batch.model, "compute").observe(seconds)
        return inputs, pictures, {"decode": inputs.decode_seconds, "compute": seconds / len(inputs.items)}

    def _still_ours(self, inputs: Inputs) -> Inputs:
        try:
            return inputs.only(self._parts.store.advance(inputs.items, stage="computing"))
        except QueueUnavailableError:
            return inputs  # the commit will tell

    def _engine_failed(self, inputs: Inputs, error: Exception) -> None:
        batch, items = inputs.batch, inputs.items
        detail = f"{type(error).__name__}: {error}"
        self._parts.metrics.engine_errors.labels(batch.model, type(error).__name__).inc()
        _log.error("batch not computed", extra={"bucket": batch.bucket, "items": len(items), "error": detail})
        match error:
            case OutOfMemoryError() if len(items) > 1:
                self._give_back(lambda whole: self._release_in_smaller_batches(batch, whole), items)
            case OutOfMemoryError():
                self._fail(items, reason="out-of-memory", detail=detail)
            case ConfigError() if len(items) > 1:
                self._lose(items, detail=detail)  # one of them does not fit the model: alone it will show which
            case ConfigError():
                self._fail(items, reason="input-unusable", detail=detail)
            case SpadeError():
                self._fail(items, reason="model-unusable", detail=detail)
            case _:
                self._lose(items, detail=detail)

    def _release_in_smaller_batches(self, batch: Batch, items: Sequence[ClaimedItem]) -> tuple[str, ...]:
        store = self._parts.store
        store.lower_ceiling(device=self._limits.device, bucket=batch.bucket, batch_size=len(items))
        return store.release(items)

    def _fail(self, items: Sequence[ClaimedItem], *, reason: str, detail: str) -> None:
        self._give_back(lambda failed: self._parts.store.fail(failed, reason=reason, detail=detail), items)

    def _lose(self, items: Sequence[ClaimedItem], *, detail: str) -> None:
        self._give_back(lambda lost: self._parts.store.lose(lost, detail=detail), items)

    def _give_back(
        self,
        how: Callable[[Sequence[ClaimedItem]], tuple[str, ...]],
        items: Sequence[ClaimedItem],
    ) -> None:
        """End attempts without a picture. If Redis is away just now, the leases run out and the reaper does it."""
        self._parts.leases.let_go(items)
        try:
            self._parts.record(how(items))
            self._requeued.set()
        except QueueUnavailableError as error:
            _log.warning("items left to the reaper", extra={"items": len(items), "error": str(error)})

    def _publish(self, inputs: Inputs, pictures: NDArray[np.uint8], timings: dict[str, float]) -> None:
        try:
            self._parts.record(self._parts.publisher.publish(inputs, pictures, timings))
        except ServiceError as error:
            _log.error("batch left to the reaper", extra={"bucket": inputs.batch.bucket, "error": str(error)})
        except Exception:  # this thread has nobody to tell
            _log.exception("batch not published", extra={"bucket": inputs.batch.bucket})
        self.progress.note()
