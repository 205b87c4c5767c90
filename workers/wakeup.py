"""The Celery side that sends: a wake-up says that a queue may have work. It may be lost or doubled without harm."""

import logging
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError

from workers.errors import QueueUnavailableError
from workers.redis_client import RedisClient, translated_errors

TASK_NAME: Final = "workers.synthesize"
_KEY_PREFIX: Final = "{spade-celery}:"
_log = logging.getLogger(__name__)


def queue_name(model: str) -> str:
    """The Celery queue of a model."""
    return f"synthesize.{model}"


def create_celery(redis_url: str) -> Celery:
    """The Celery application, with the settings that a disposable wake-up wants. Connects on first use."""
    app = Celery("spade", broker=redis_url, set_as_current=False)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=False,  # redelivery is the job store's business; Celery's does not count attempts
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "global_keyprefix": _KEY_PREFIX,
            "visibility_timeout": 600,
            "socket_timeout": 10,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
        },
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2},
    )
    return app


class WakeUp:
    """Sends wake-ups. Never raises for a broker that is away: the reaper sends what was not sent."""

    def __init__(self, celery: Celery, client: RedisClient) -> None:
        self._celery = celery
        self._client = client

    def send(self, model: str) -> None:
        """Tell a worker that this model may have work, unless that lies unread already.

        Whoever reads it takes all there is; more of them would pile up for as long as nobody reads.
        """
        try:
            if not self._is_pending(model):
                self._celery.send_task(TASK_NAME, args=[model], queue=queue_name(model))
        except (OperationalError, QueueUnavailableError) as error:
            _log.warning("wake-up not sent", extra={"model": model, "error": str(error)})

    def _is_pending(self, model: str) -> bool:
        with translated_errors():
            return self._client.llen(f"{_KEY_PREFIX}{queue_name(model)}") > 0
