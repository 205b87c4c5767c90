"""Deliveries in Redis: each call is one atomic step, like those of `workers.job_store`."""

from collections.abc import Mapping

from workers.redis_client import RedisClient
from workers.scripts import Scripts
from workers.webhook_messages import Delivery, WebhookState


class WebhookStore:
    """Which deliveries are due, and what became of them. Every method raises `QueueUnavailableError`."""

    def __init__(self, client: RedisClient) -> None:
        self._scripts = Scripts(client)

    def take(
        self, *, lease_seconds: float, most: int, most_of_one: int, in_hand: Mapping[str, int]
    ) -> tuple[Delivery, ...]:
        """Up to `most` deliveries that are due, of no owner more than `most_of_one` with those already `in_hand`."""
        held = [value for owner, count in in_hand.items() for value in (owner, count)]
        rows = self._scripts.run("webhook_take", round(lease_seconds * 1000), most, most_of_one, *held)
        return tuple(
            Delivery(job_id=job_id, owner=owner, ending=ending, attempt=attempt)
            for job_id, owner, ending, attempt in rows
        )

    def delivered(self, delivery: Delivery) -> None:
        """The receiver has it."""
        self._settle(delivery, WebhookState.DELIVERED, "", 0)

    def postpone(self, delivery: Delivery, *, error: str, seconds: float) -> None:
        """It is to be tried again after `seconds`."""
        self._settle(delivery, WebhookState.PENDING, error, seconds)

    def give_up(self, delivery: Delivery, *, error: str) -> None:
        """It is not tried again."""
        self._settle(delivery, WebhookState.FAILED, error, 0)

    def _settle(self, delivery: Delivery, state: WebhookState, error: str, seconds: float) -> None:
        self._scripts.run(
            "webhook_settle",
            *(delivery.job_id, delivery.ending, delivery.attempt, state, error, round(seconds * 1000)),
        )
