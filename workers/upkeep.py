"""What workers do beside their batches for the whole service, in turns: each of them may be gone at any time."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

from workers.periodic import Periodic
from workers.reaper import Reaper
from workers.retention import Retention
from workers.stores import Stores

_FILL_INTERVAL_SECONDS: Final = 1.0


class Upkeep:
    """Threads that take back what was lost, remove what is old, and bring in bulk jobs."""

    def __init__(
        self,
        stores: Stores,
        *,
        wake: Callable[[str], None],
        worker: str,
        stop: threading.Event,
        interval_seconds: float,
    ) -> None:
        """`wake` tells workers that a model has items waiting, `worker` is the name under which turns are taken, `stop`
        breaks off what takes long. What was lost and what is old are looked for every `interval_seconds`.
        """
        reaper = Reaper(
            store=stores.job_store,
            reader=stores.job_reader,
            recorder=stores.recorder,
            wake=wake,
            worker=worker,
            interval_seconds=interval_seconds,
        )
        retention = Retention(store=stores.job_store, objects=stores.object_store)
        remove = partial(retention.take_turn, holder=worker, stop=stop)
        fill = partial(stores.filler.fill_all, holder=worker, wake=wake, stop=stop)
        self._filling = Periodic("filler", fill, interval_seconds=_FILL_INTERVAL_SECONDS)
        self._threads = (reaper, Periodic("retention", remove, interval_seconds=interval_seconds), self._filling)

    def start(self) -> None:
        """Start them."""
        for thread in self._threads:
            thread.start()

    def bring_in(self) -> None:
        """Bring in bulk jobs now: one may just have been accepted, and its items come only with this."""
        self._filling.hurry()

    def stop(self) -> None:
        """Stop them."""
        for thread in reversed(self._threads):
            thread.stop()
