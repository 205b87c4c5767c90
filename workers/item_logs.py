"""What log lines of workers tell of items: `workers.logs` says what the fields mean."""

import logging
from collections.abc import Sequence
from typing import Any, Final

from workers.messages import ClaimedItem

MOST_IDS: Final = 16
"""Ids in one line."""


def batch_fields(items: Sequence[ClaimedItem]) -> dict[str, Any]:
    """Fields of a line about these items."""
    requests = dict.fromkeys(item.request_id for item in items if item.request_id is not None)
    return {
        "items": len(items),
        "item_ids": [item.id for item in items[:MOST_IDS]],
        "request_ids": list(requests)[:MOST_IDS],
    }


def item_fields(item: ClaimedItem) -> dict[str, Any]:
    """Fields of a line about this item."""
    return {
        "job": item.job_id,
        "item": item.id,
        "attempt": item.attempt,
        "fence": item.fence,
        "request_id": item.request_id,
    }


def debug_each(log: logging.Logger, event: str, items: Sequence[ClaimedItem]) -> None:
    """A line for each item, where somebody wants them."""
    if log.isEnabledFor(logging.DEBUG):
        for item in items:
            log.debug(event, extra=item_fields(item))
