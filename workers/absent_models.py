"""Jobs of models that nobody has any more: they fail, where otherwise they would wait for ever.

Workers claim for models that they have, and nobody has one whose last version was removed. One worker's models folder
may be behind another's, or behind the API's, so a model is given up only after so many looks in a row of one worker in
which nothing spoke for it: no worker has it in its folder, be it served there or not, none that is there says that it
serves it, and no new job was accepted for it.
"""

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from model_store.errors import UnknownModelError, UnusableModelError
from model_store.registry import Registry
from workers.figures import FailureReason
from workers.item_logs import batch_fields
from workers.presence import Presence, read_workers
from workers.redis_client import PREFIX, translated_errors
from workers.stores import Stores

LOOK_SECONDS: Final = 30.0
_PATIENT_LOOKS: Final = 30
_ASKED: Final = f"{PREFIX}absent"
_TURN: Final = "*absent models*"  # no id of a job
_AT_ONCE: Final = 250
_ANY_SIZE: Final = 2**62
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doubt:
    """Whether there is a model: by looks in a row in which there was none, and the newest of its jobs that wait."""

    looks: int
    newest_ms: float


class AbsentModels:
    """Each worker looks every `LOOK_SECONDS`. One of them, by turn, asks for models; any that has one takes it off."""

    def __init__(
        self,
        stores: Stores,
        *,
        registry: Registry,
        worker: str,
        stop: threading.Event,
        patient_looks: int = _PATIENT_LOOKS,
    ) -> None:
        self._stores = stores
        self._registry = registry
        self._worker = worker
        self._stop = stop
        self._patient_looks = patient_looks
        self._doubts: dict[str, _Doubt] = {}

    def look(self) -> None:
        """Speak for models that are here; in our turn, fail what waits for those that nobody has spoken for.

        Raises `QueueUnavailableError`.
        """
        with translated_errors():
            asked = self._stores.client.zrange(_ASKED, 0, -1)
        self._take_off(model for model in asked if self._has(model))
        if not self._stores.job_store.reserve(_TURN, holder=self._worker, seconds=2 * LOOK_SECONDS):
            self._doubts.clear()
            return
        doubts = {}
        for model, newest_ms in self._doubtful().items():
            before = self._doubts.get(model, _Doubt(looks=0, newest_ms=newest_ms))
            looks = before.looks if model in asked and before.newest_ms == newest_ms else 0
            doubts[model] = _Doubt(looks=looks + 1, newest_ms=newest_ms)
        self._doubts = doubts
        self._take_off(model for model in asked if model not in doubts)
        for model, doubt in doubts.items():
            with translated_errors():
                self._stores.client.zadd(_ASKED, {model: doubt.newest_ms})
            if doubt.looks > self._patient_looks:
                self._fail(model)

    def _doubtful(self) -> dict[str, float]:
        """Models with items that wait, not here and served by no worker that is there; when their newest job came."""
        reader, client = self._stores.job_reader, self._stores.client
        waiting = [queue.model for queue in reader.stats().queues if sum(queue.waiting.values())]
        not_here = [model for model in waiting if not self._has(model)]
        if not not_here:
            return {}
        there = [worker for worker in read_workers(client) if worker.presence is not Presence.GONE]
        served = {model for worker in there for model in worker.models}
        newest = {model: reader.newest_waiting_ms(model) for model in not_here if model not in served}
        return {model: newest_ms for model, newest_ms in newest.items() if newest_ms is not None}

    def _has(self, model: str) -> bool:
        try:
            self._registry.card(model)
        except UnknownModelError:
            return False
        except UnusableModelError:  # it is there, and may be mended
            return True
        return True

    def _take_off(self, models: Iterable[str]) -> None:
        with translated_errors():
            for model in models:
                self._stores.client.zrem(_ASKED, model)

    def _fail(self, model: str) -> None:
        store, record = self._stores.job_store, self._stores.recorder.record
        minutes = self._patient_looks * LOOK_SECONDS / 60
        detail = (
            f"there is no model {model!r} any more: no worker has had it for {minutes:g} minutes; submit the job for "
            "another model, or again when it was added with `spade-serve models add`"
        )
        while not self._stop.is_set():
            claim = store.claim(
                worker=self._worker, device="", models=[model], max_items=_AT_ONCE, max_pixels=_ANY_SIZE
            )
            record(claim.ended_jobs)
            if claim.batch is not None:
                record(store.fail(claim.batch.items, reason=FailureReason.MODEL_UNUSABLE, detail=detail))
                _log.warning("items failed", extra={"model": model, "error": detail, **batch_fields(claim.batch.items)})
            elif claim.more_waiting is None:
                return
