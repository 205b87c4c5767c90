"""The reaper: a periodic look after what nobody else finishes. One worker at a time does it, by a lock in Redis."""

import logging
from collections.abc import Callable
from typing import Any

from workers.item_logs import MOST_IDS
from workers.job_reader import JobReader
from workers.job_store import JobStore, Reaped
from workers.periodic import Periodic
from workers.recorder import Recorder

_log = logging.getLogger(__name__)


class Reaper:
    """Returns lost items to the queue, expires late ones, stores missing records, wakes workers."""

    def __init__(
        self,
        *,
        store: JobStore,
        reader: JobReader,
        recorder: Recorder,
        wake: Callable[[str], None],
        worker: str,
        interval_seconds: float,
    ) -> None:
        self._store = store
        self._reader = reader
        self._recorder = recorder
        self._wake = wake
        self._worker = worker
        self._interval_seconds = interval_seconds
        self._rounds = Periodic("reaper", self._reap_if_it_is_our_turn, interval_seconds=interval_seconds)

    def start(self) -> None:
        """Look from now on."""
        self._rounds.start()

    def stop(self) -> None:
        """Look no more."""
        self._rounds.stop()

    def reap(self) -> None:
        """One round. Raises `QueueUnavailableError`; the next round goes on from there."""
        while (reaped := self._store.reap()).lost or reaped.expired:  # so many at a time
            _log.warning("items taken back", extra=_told(reaped))
        for queue in self._reader.stats().queues:
            if sum(queue.waiting.values()):
                self._wake(queue.model)
        self._recorder.record_leftovers()

    def _reap_if_it_is_our_turn(self) -> None:
        # The lock lives a little shorter than the interval: whoever comes first after it has the next round.
        if self._store.is_reaper(worker=self._worker, seconds=0.9 * self._interval_seconds):
            self.reap()


def _told(reaped: Reaped) -> dict[str, Any]:
    return {
        "lost": len(reaped.lost),
        "expired": len(reaped.expired),
        "item_ids": [*reaped.lost, *reaped.expired][:MOST_IDS],
    }
