"""Worker processes that are killed while they tell a receiver."""

import threading
from pathlib import Path

from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import Worker
from support.jobs import OWNER, job_spec
from support.receivers import SECRET, answering, hanging, receiving
from support.waiting import wait_until
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.redis_client import RedisClient
from workers.webhook_messages import WebhookState


def test_what_a_killed_worker_was_telling_is_told_by_the_next(
    service_environment: dict[str, str], redis_client: RedisClient, job_store: JobStore, tmp_path: Path
) -> None:
    reader, over = JobReader(redis_client), threading.Event()
    settings = {
        "SPADE_WORKER_MODELS": "landscape",
        "SPADE_WEBHOOK_SECRET": SECRET,
        "SPADE_WEBHOOK_ALLOW": "127.0.0.1",
        "SPADE_WEBHOOK_TIMEOUT_SECONDS": "2",
        "SPADE_WEBHOOK_FIRST_RETRY_SECONDS": "0.1",
    }
    program = Worker(number=1, port=free_port(), service={**service_environment, **settings})
    with receiving() as receiver, Child(program, log=tmp_path / "worker.log") as worker:
        receiver.answers = [hanging(over), answering(500)]
        job_store.submit(job_spec("j", webhook=receiver.url))
        job_store.cancel("j", owner=OWNER)
        wait_until(lambda: receiver.messages, "the receiver is being told")
        worker.kill()
        assert reader.job("j").webhook.state is WebhookState.PENDING
        worker.start()
        wait_until(lambda: reader.job("j").webhook.state is WebhookState.DELIVERED, "it was told")
        over.set()
    assert receiver.ids == ["msg_j_1"] * 3
    assert reader.job("j").webhook.attempts == 3
