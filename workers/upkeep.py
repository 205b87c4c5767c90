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


def upkeep(
    stores: Stores, *, wake: Callable[[str], None], worker: str, stop: threading.Event, interval_seconds: float
) -> list[Reaper | Periodic]:
    """Threads, not started yet, that take back what was lost, remove what is old, and bring in bulk jobs.

    `wake` tells workers that a model has items waiting, `worker` is the name under which turns are taken, `stop` breaks
    off what takes long. What was lost and what is old are looked for every `interval_seconds`.
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
    return [
        reaper,
        Periodic("retention", remove, interval_seconds=interval_seconds),
        Periodic("filler", fill, interval_seconds=_FILL_INTERVAL_SECONDS),
    ]
