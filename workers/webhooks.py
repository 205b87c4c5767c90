"""Tells receivers that jobs have ended, in a thread beside the worker's loop, several at a time.

What is to be told is in Redis, so it outlives the worker: the delivery of one that is killed falls to another when its
lease has run out. So a receiver may get a message twice, with the same id.
"""

import asyncio
import logging
import random
import threading
from collections import Counter
from typing import Final

from workers.errors import JobExpiredError, JobUnknownError, QueueUnavailableError
from workers.job_reader import JobReader
from workers.metrics import WorkerMetrics
from workers.webhook_messages import Delivery
from workers.webhook_sender import DeliveryFailedError, WebhookSender, end_message
from workers.webhook_settings import WebhookSettings
from workers.webhook_store import WebhookStore
from workers.webhook_targets import WebhookTargets

MAX_DELIVERIES: Final = 16
MAX_DELIVERIES_OF_ONE_OWNER: Final = 8
POLL_SECONDS: Final = 0.5
LEASE_MARGIN_SECONDS: Final = 5.0
"""Beyond the time limit of a delivery, to read the job and to note what became of it."""

_log = logging.getLogger(__name__)


class WebhookDeliverer:
    """Delivers what is due, again and again, from `start` to `stop`."""

    def __init__(
        self,
        *,
        store: WebhookStore,
        reader: JobReader,
        targets: WebhookTargets,
        settings: WebhookSettings,
        metrics: WorkerMetrics,
    ) -> None:
        self._store = store
        self._reader = reader
        self._targets = targets
        self._settings = settings
        self._metrics = metrics
        self._in_hand: dict[asyncio.Task[None], str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="webhooks", daemon=True)

    def start(self) -> None:
        """Deliver from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver no more; what is on its way is broken off and left to others."""
        self._stopping.set()
        self._thread.join()

    async def _run(self) -> None:
        async with WebhookSender(self._targets, self._settings) as sender:
            while not self._stopping.is_set():
                for delivery in await self._due():
                    task = asyncio.create_task(self._deliver(delivery, sender))
                    self._in_hand[task] = delivery.owner
                    task.add_done_callback(self._in_hand.pop)
                if self._in_hand:
                    await asyncio.wait(self._in_hand, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await asyncio.sleep(POLL_SECONDS)
            for task in self._in_hand:
                task.cancel()
            await asyncio.gather(*self._in_hand, return_exceptions=True)

    async def _due(self) -> tuple[Delivery, ...]:
        most = MAX_DELIVERIES - len(self._in_hand)
        if most <= 0:
            return ()
        try:
            return await asyncio.to_thread(
                self._store.take,
                lease_seconds=self._settings.timeout_seconds + LEASE_MARGIN_SECONDS,
                most=most,
                most_of_one=MAX_DELIVERIES_OF_ONE_OWNER,
                in_hand=Counter(self._in_hand.values()),
            )
        except QueueUnavailableError as error:
            _log.warning("webhooks wait", extra={"error": str(error)})
        except Exception:  # a thread that ended here would leave every receiver untold, unnoticed
            _log.exception("webhooks wait")
        await asyncio.sleep(POLL_SECONDS)
        return ()

    async def _deliver(self, delivery: Delivery, sender: WebhookSender) -> None:
        try:
            job = await asyncio.to_thread(self._reader.job, delivery.job_id)
            if job.webhook is None or not job.state.is_final or job.endings != delivery.ending:
                return  # it was opened again; its next end will be told
            try:
                body = end_message(job, public_url=self._settings.public_url)
                await sender.send(job.webhook.url, message_id=delivery.message_id, body=body)
            except DeliveryFailedError as error:
                await asyncio.to_thread(self._note_failure, delivery, error)
            except Exception:  # noted as an attempt, or else it would be tried for ever
                _log.exception("webhook failed", extra={"job": delivery.job_id})
                failure = DeliveryFailedError("an error of the service itself; its logs have more")
                await asyncio.to_thread(self._note_failure, delivery, failure)
            else:
                await asyncio.to_thread(self._store.delivered, delivery)
                self._note(delivery, "delivered")
        except (JobExpiredError, JobUnknownError):
            return  # removed in the meantime
        except QueueUnavailableError as error:  # nobody knows what became of it, so it is delivered again
            _log.warning("webhook not settled", extra={"job": delivery.job_id, "error": str(error)})
        except Exception:
            _log.exception("webhook not settled", extra={"job": delivery.job_id})

    def _note_failure(self, delivery: Delivery, error: DeliveryFailedError) -> None:
        if error.is_final or delivery.attempt >= self._settings.max_attempts:
            self._store.give_up(delivery, error=str(error))
            self._note(delivery, "failed", str(error))
            return
        # The jitter keeps those that failed together, with their receiver, from coming back together.
        seconds = self._settings.retry_seconds(delivery.attempt) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        self._store.postpone(delivery, error=str(error), seconds=seconds)
        self._note(delivery, "postponed", str(error))

    def _note(self, delivery: Delivery, outcome: str, error: str = "") -> None:
        self._metrics.webhooks.labels(outcome).inc()
        fields = {"job": delivery.job_id, "outcome": outcome, "attempt": delivery.attempt, "error": error}
        _log.info("webhook", extra=fields)
