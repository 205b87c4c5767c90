"""Entry module of the Celery worker of the load and the bulk benchmark: all of a worker but its engine and pictures.

It claims, commits and stores records as a worker does, and does the upkeep.
"""

import os
import threading
from typing import Any, Final

from celery import signals

from deploy.bench.jobs import null_result
from workers.logs import log_json_lines
from workers.settings import Settings
from workers.stores import connect_stores
from workers.upkeep import Upkeep
from workers.wakeup import TASK_NAME, WakeUp, create_celery, queue_name

_BATCH_ITEMS: Final = 64
_UPKEEP_SECONDS: Final = 1.0

log_json_lines("info")
_settings = Settings.from_environment(os.environ)
_stores = connect_stores(_settings)
app = create_celery(_settings.redis_url)
app.conf.task_default_queue = queue_name(_settings.worker.models[0])
_stopping = threading.Event()
_upkeep = Upkeep(
    _stores,
    wake=WakeUp(app, _stores.client).send,
    worker="null",
    stop=_stopping,
    interval_seconds=_UPKEEP_SECONDS,
)


@app.task(name=TASK_NAME, ignore_result=True)
def synthesize(model: str) -> None:
    """Claim and commit until nothing waits."""
    _upkeep.bring_in()
    store, record = _stores.job_store, _stores.recorder.record
    while True:
        claim = store.claim(worker="null", device="none", models=[model], max_items=_BATCH_ITEMS, max_pixels=2**62)
        record(claim.ended_jobs)
        if claim.batch is not None:
            record(store.commit([null_result(item) for item in claim.batch.items]).ended_jobs)
        elif claim.more_waiting is None:
            return


@signals.worker_init.connect
def start(**_: Any) -> None:  # noqa: ANN401 - Celery's signals carry what they like
    """Look after the queue from now on."""
    _upkeep.start()


@signals.worker_shutdown.connect
def stop(**_: Any) -> None:  # noqa: ANN401 - as above
    """The loop has ended."""
    _stopping.set()
    _upkeep.stop()
