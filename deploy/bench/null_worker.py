"""Entry module of the benchmark's Celery worker: the real wake-ups and the real job store, and no engine.

`workers.synthesize` claims and commits at once and tells when it claimed; `echo` is a plain Celery task whose round
trip is the yardstick.
"""

import os
import time

from deploy.bench.jobs import null_result
from deploy.bench.queue import CLAIMED_AT, ECHO, MODEL
from workers.job_store import JobStore
from workers.redis_client import connect
from workers.settings import QueueSettings
from workers.wakeup import TASK_NAME, create_celery, queue_name

_url = os.environ["SPADE_REDIS_URL"]
_client = connect(_url)
_store = JobStore(_client, QueueSettings())
app = create_celery(_url)
app.conf.update(result_backend=_url, task_ignore_result=False, task_default_queue=queue_name(MODEL))


@app.task(name=TASK_NAME, ignore_result=True)
def synthesize(model: str) -> None:
    """Claim what waits, say when, commit it without a picture."""
    batch = _store.claim(worker="null", device="none", models=[model], max_items=64, max_pixels=2**62).batch
    if batch is not None:
        _client.rpush(CLAIMED_AT, str(time.monotonic()))
        _store.commit([null_result(item) for item in batch.items])


@app.task(name=ECHO)
def echo(value: int) -> int:
    """What the queue's cost is compared with."""
    return value
