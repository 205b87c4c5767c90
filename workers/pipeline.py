"""The worker's loop: while the engine computes one batch, the next is fetched and the ones before are stored."""

import logging
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
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
from workers.copying import Copier
from workers.engine import Engine
from workers.engine_pause import EnginePause
from workers.errors import EngineUnavailableError, QueueUnavailableError, ServiceError, StorageUnavailableError
from workers.inputs import InputLoader, Inputs
from workers.item_logs import batch_fields, debug_each
from workers.job_store import JobStore
from workers.leases import LeaseKeeper
from workers.messages import Batch, ClaimedItem
from workers.metrics import WorkerMetrics
from workers.progress import Progress
from workers.publishing import Publisher
from workers.sent_maps import InputError
from workers.served_models import ServedModels
from workers.storage import ObjectStore
from workers.traces import Stage, Traces
from workers.unfinished import Unfinished

_PUBLISHERS: Final = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLimits:
    """What one worker takes at once, and under which name."""

    worker: str
    models: ServedModels
    max_items: int
    max_pixels: int

    def most_items(self, batch: Batch) -> int:
        """How many such items this worker takes at once, but for what it learned of its memory."""
        return max(1, min(self.max_items, self.max_pixels // batch.pixels))


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
    traces: Traces


class Pipeline:
    """Claims, computes and publishes until the queue is empty, time is up or `stop` is set."""

    def __init__(self, parts: PipelineParts, limits: ClaimLimits, *, stop: threading.Event) -> None:
        self._parts = parts
        self._limits = limits
        self._stop = stop
        self._unfinished = Unfinished(
            parts.store, parts.leases, record=parts.record, traces=parts.traces, device=parts.engine.device
        )
        self._slots = threading.BoundedSemaphore(_PUBLISHERS)  # finished batches in memory
        self.progress = Progress()
        self._engine_pause = EnginePause(parts.engine.ping, stop=stop, note=self.progress.note)

    def drain(self, *, seconds: float) -> bool:
        """Work through what waits, for about `seconds`; True if it ended because they were over.

        What was claimed is finished or given back, also when `stop` is set.
        """
        until = time.monotonic() + seconds
        self.progress.busy.set()
        try:
            with ThreadPoolExecutor(1, "fetch") as fetcher, ThreadPoolExecutor(_PUBLISHERS, "publish") as publisher:
                while not self._work_through(fetcher, publisher, until):
                    self._engine_pause.wait()
        finally:
            self.progress.busy.clear()
        return time.monotonic() >= until and not self._stop.is_set()

    def _work_through(self, fetcher: ThreadPoolExecutor, publisher: ThreadPoolExecutor, until: float) -> bool:
        """False if the engine went away; what was fetched ahead is given back then, to workers that have theirs."""
        with closing(self._fetched(fetcher, until)) as batches:
            for inputs in batches:
                if self._stop.is_set():
                    self._unfinished.release(inputs.batch, inputs.items, stages=inputs.stages)
                    continue
                try:
                    computed = self._compute(inputs)
                except EngineUnavailableError:
                    return False
                if computed is not None:
                    self._slots.acquire()
                    publisher.submit(self._publish, *computed).add_done_callback(lambda _: self._slots.release())
        return True

    def _fetched(self, fetcher: ThreadPoolExecutor, until: float) -> Generator[Inputs, None, None]:
        """Batches, each fetched while the caller works on the one before."""
        upcoming = fetcher.submit(self._next, until, True)
        try:
            while True:
                inputs = upcoming.result()
                if inputs is None and not self._unfinished.requeued.is_set():
                    return
                # Nothing waited when that fetch looked, but something was given back since.
                self._unfinished.requeued.clear()
                upcoming = fetcher.submit(self._next, until, False)
                if inputs is not None:
                    yield inputs
        finally:  # the caller broke off, and nobody else knows what was fetched meanwhile
            left = upcoming.result()
            if left is not None and left is not inputs:
                self._unfinished.release(left.batch, left.items, stages=left.stages)

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
                device=self._parts.engine.device(),
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
            _log.info("batch claimed", extra={"bucket": claim.batch.bucket, **batch_fields(claim.batch.items)})
            debug_each(_log, "item claimed", claim.batch.items)
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
                self._unfinished.fail(batch, [item], reason=error.reason, detail=str(error))
            except StorageUnavailableError as error:
                self._set_aside(item, batch, error)
                not_fetched = error
            except Exception as error:  # whatever reading raises concerns this item, neither the batch nor the loop
                self._unfinished.lose(batch, [item], detail=f"{type(error).__name__}: {error}")
        if not_fetched is not None and not loaded:
            raise not_fetched
        decoding = Stage(name="decode", began=started, ended=time.perf_counter())
        stage_seconds.labels(batch.model, "decode").observe(decoding.seconds)
        shape = (len(loaded), batch.height, batch.width)
        return Inputs(
            batch=batch,
            items=tuple(item for item, _, _ in loaded),
            label_maps=np.array([label_map for _, label_map, _ in loaded], dtype=np.int32).reshape(shape),
            instance_maps=np.array([instances for _, _, instances in loaded], dtype=np.int32).reshape(shape),
            decode_seconds=decoding.seconds / len(batch.items),
            style_pictures=loader.style_pictures,
            stages=(decoding,),
        )

    def _set_aside(self, item: ClaimedItem, batch: Batch, error: StorageUnavailableError) -> None:
        """Put behind the others what the store has but does not hand out; raise when it hands out nothing at all."""
        try:
            self._parts.objects.ping()
        except StorageUnavailableError:
            self._unfinished.release(batch, batch.items)
            raise
        self._unfinished.postpone(batch, [item], detail=str(error))

    def _compute(self, inputs: Inputs) -> tuple[Inputs, NDArray[np.uint8], dict[str, float]] | None:
        """The pictures of the items that are still ours; None when there are none, or when the engine failed.

        Raises EngineUnavailableError: when it is away, and the items are given back.
        """
        inputs = self._still_ours(inputs)
        if not inputs.items:
            return None
        batch, metrics = inputs.batch, self._parts.metrics
        started = time.perf_counter()
        try:
            with metrics.busy.computing():
                pictures = self._parts.engine.synthesize(inputs)
        except EngineUnavailableError as error:
            self._engine_away(inputs.after("compute", began=started), error)
            raise
        except Exception as error:  # whatever the engine raises concerns this batch, not the loop
            detail = f"{type(error).__name__}: {error}"
            self._parts.metrics.engine_errors.labels(batch.model, type(error).__name__).inc()
            _log.error(
                "batch not computed", extra={"bucket": batch.bucket, **batch_fields(inputs.items), "error": detail}
            )
            self._unfinished.engine_failed(inputs.after("compute", began=started), error)
            return None
        finally:
            self.progress.note()
        self._engine_pause.computed()
        inputs = inputs.after("compute", began=started)
        seconds = inputs.stages[-1].seconds
        debug_each(_log, "item computed", inputs.items)
        metrics.batch_items.labels(batch.model).observe(len(inputs.items))
        metrics.batch_fill.labels(batch.model).observe(len(inputs.items) / self._limits.most_items(batch))
        metrics.stage_seconds.labels(batch.model, "compute").observe(seconds)
        return inputs, pictures, {"decode": inputs.decode_seconds, "compute": seconds / len(inputs.items)}

    def _still_ours(self, inputs: Inputs) -> Inputs:
        try:
            return inputs.only(self._parts.store.advance(inputs.items, stage="computing"))
        except QueueUnavailableError:
            return inputs  # the commit will tell

    def _engine_away(self, inputs: Inputs, error: EngineUnavailableError) -> None:
        """Give the items back, to other workers too.

        Of an engine that does, one model may be out of order: its items must not stand in the way of the others.
        """
        batch, told = inputs.batch, batch_fields(inputs.items)
        _log.warning("engine away", extra={"bucket": batch.bucket, **told, "error": str(error)})
        self._parts.metrics.engine_errors.labels(batch.model, type(error).__name__).inc()
        if self._engine_pause.is_long:
            self._unfinished.postpone(batch, inputs.items, detail=str(error), stages=inputs.stages)
        else:
            self._unfinished.release(batch, inputs.items, stages=inputs.stages)

    def _publish(self, inputs: Inputs, pictures: NDArray[np.uint8], timings: dict[str, float]) -> None:
        told = {"bucket": inputs.batch.bucket, **batch_fields(inputs.items)}
        try:
            self._parts.record(self._parts.publisher.publish(inputs, pictures, timings))
        except ServiceError as error:
            _log.error("batch left to the reaper", extra={**told, "error": str(error)})
        except Exception:  # this thread has nobody to tell
            _log.exception("batch not published", extra=told)
        self.progress.note()
