"""Entry module of the load benchmark's Celery worker: everything of a worker but its engine and its pictures.

It claims, commits and stores records as a worker does, and looks after what is lost and what is old.
"""

import os
import threading
from functools import partial
from typing import Any, Final

from celery import signals

from deploy.bench.jobs import null_result
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.logs import log_json_lines
from workers.periodic import Periodic
from workers.reaper import Reaper
from workers.recorder import Recorder
from workers.redis_client import connect
from workers.retention import Retention
from workers.settings import Settings
from workers.storage import ObjectStore
from workers.wakeup import TASK_NAME, WakeUp, create_celery, queue_name

_BATCH_ITEMS: Final = 64
_REAPER_SECONDS: Final = 1.0

log_json_lines("info")
_settings = Settings.from_environment(os.environ)
_client = connect(_settings.redis_url)
_store, _reader, _objects = JobStore(_client, _settings.queue), JobReader(_client), ObjectStore(_settings.storage)
_recorder = Recorder(store=_store, reader=_reader, objects=_objects)
app = create_celery(_settings.redis_url)
app.conf.task_default_queue = queue_name(_settings.worker.models[0])
_stopping = threading.Event()
_reaper = Reaper(
    store=_store,
    reader=_reader,
    recorder=_recorder,
    wake=WakeUp(app, _client).send,
    worker="null",
    interval_seconds=_REAPER_SECONDS,
)
_removing = Periodic(
    "retention",
    partial(Retention(store=_store, objects=_objects).take_turn, holder="null", stop=_stopping),
    interval_seconds=_REAPER_SECONDS,
)


@app.task(name=TASK_NAME, ignore_result=True)
def synthesize(model: str) -> None:
    """Claim and commit until nothing waits."""
    while True:
        claim = _store.claim(worker="null", device="none", models=[model], max_items=_BATCH_ITEMS, max_pixels=2**62)
        _recorder.record(claim.ended_jobs)
        if claim.batch is None:
            return
        _recorder.record(_store.commit([null_result(item) for item in claim.batch.items]).ended_jobs)


@signals.worker_init.connect
def start(**_: Any) -> None:  # noqa: ANN401 - Celery's signals carry what they like
    """Look after the queue from now on."""
    _reaper.start()
    _removing.start()


@signals.worker_shutdown.connect
def stop(**_: Any) -> None:  # noqa: ANN401 - as above
    """The loop has ended."""
    _stopping.set()
    _removing.stop()
    _reaper.stop()
