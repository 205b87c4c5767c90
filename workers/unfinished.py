"""Attempts that end without a picture: given back to the queue, or ended for good."""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from spade.errors import ConfigError, OutOfMemoryError, SpadeError
from workers.errors import QueueUnavailableError
from workers.figures import FailureReason
from workers.inputs import Inputs
from workers.item_logs import batch_fields
from workers.job_store import JobStore
from workers.leases import LeaseKeeper
from workers.messages import Batch, ClaimedItem
from workers.traces import Ending, Stage, Traces

_BLAMELESS: Final = (Ending.RELEASED, Ending.POSTPONED)
_log = logging.getLogger(__name__)

_Step = Callable[[Sequence[ClaimedItem]], tuple[str, ...]]
"""Ends the items in the job store; returns the jobs that ended with them."""


class Unfinished:
    """Ends attempts without a picture, and tells the log and the traces.

    `requeued` is set when something may wait again. While Redis is away the leases run out, and the reaper does it.
    """

    def __init__(
        self,
        store: JobStore,
        leases: LeaseKeeper,
        *,
        record: Callable[[tuple[str, ...]], None],
        traces: Traces,
        device: Callable[[], str],
    ) -> None:
        self.requeued = threading.Event()
        self._store = store
        self._leases = leases
        self._record = record
        self._traces = traces
        self._device = device

    def release(self, batch: Batch, items: Sequence[ClaimedItem], *, stages: Sequence[Stage] = ()) -> None:
        """Back to the queue without blame."""
        self._end(Ending.RELEASED, self._store.release, batch, items, stages=stages)

    def postpone(
        self, batch: Batch, items: Sequence[ClaimedItem], *, detail: str, stages: Sequence[Stage] = ()
    ) -> None:
        """Behind the others, without blame."""
        self._end(Ending.POSTPONED, self._store.postpone, batch, items, stages=stages, detail=detail)

    def lose(self, batch: Batch, items: Sequence[ClaimedItem], *, detail: str, stages: Sequence[Stage] = ()) -> None:
        """Tried alone next; after so many losses failed as poison."""
        self._end(Ending.LOST, partial(self._store.lose, detail=detail), batch, items, stages=stages, detail=detail)

    def fail(
        self,
        batch: Batch,
        items: Sequence[ClaimedItem],
        *,
        reason: FailureReason,
        detail: str,
        stages: Sequence[Stage] = (),
    ) -> None:
        """For good."""
        how = partial(self._store.fail, reason=reason, detail=detail)
        self._end(Ending.FAILED, how, batch, items, stages=stages, detail=detail)

    def engine_failed(self, inputs: Inputs, error: Exception) -> None:
        """What becomes of a batch depends on what its engine raised."""
        batch, items, stages = inputs.batch, inputs.items, inputs.stages
        detail = f"{type(error).__name__}: {error}"
        match error:
            case OutOfMemoryError() if len(items) > 1:
                self._release_in_smaller_batches(batch, items, stages, detail)
            case OutOfMemoryError():
                self.fail(batch, items, reason=FailureReason.OUT_OF_MEMORY, detail=detail, stages=stages)
            case ConfigError() if len(items) > 1:
                self.lose(batch, items, detail=detail, stages=stages)  # alone it will show which does not fit the model
            case ConfigError():
                self.fail(batch, items, reason=FailureReason.INPUT_UNUSABLE, detail=detail, stages=stages)
            case SpadeError():
                self.fail(batch, items, reason=FailureReason.MODEL_UNUSABLE, detail=detail, stages=stages)
            case _:
                self.lose(batch, items, detail=detail, stages=stages)

    def _release_in_smaller_batches(
        self, batch: Batch, items: Sequence[ClaimedItem], stages: Sequence[Stage], detail: str
    ) -> None:
        def release(whole: Sequence[ClaimedItem]) -> tuple[str, ...]:
            self._store.lower_ceiling(device=self._device(), bucket=batch.bucket, batch_size=len(whole))
            return self._store.release(whole)

        self._end(Ending.RELEASED, release, batch, items, stages=stages, detail=detail)

    def _end(
        self,
        outcome: Ending,
        how: _Step,
        batch: Batch,
        items: Sequence[ClaimedItem],
        *,
        stages: Sequence[Stage] = (),
        detail: str = "",
    ) -> None:
        self._leases.let_go(items)
        fields = {"model": batch.model, **batch_fields(items)}
        try:
            self._record(how(items))
        except QueueUnavailableError as error:
            _log.warning("items left to the reaper", extra={**fields, "error": str(error)})
            return
        self.requeued.set()
        level = logging.INFO if outcome in _BLAMELESS else logging.WARNING
        _log.log(level, "items without a picture", extra={**fields, "outcome": outcome.value, "error": detail})
        for item in items:
            self._traces.attempt(batch, item, stages, outcome, detail=detail)
