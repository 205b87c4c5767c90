"""What lines about items tell, and how much of it."""

import logging

import pytest

from workers.item_logs import MOST_IDS, batch_fields, debug_each, item_fields
from workers.messages import ClaimedItem


def item(index: int, request_id: str | None = "r") -> ClaimedItem:
    return ClaimedItem(
        job_id="j",
        index=index,
        fence=7,
        attempt=2,
        label_map_key="",
        instance_map_key=None,
        seed=0,
        picture_format="png",
        picture_quality=90,
        waited_ms=0,
        request_id=request_id,
    )


def test_an_item_is_told_with_its_job_its_attempt_and_the_request_that_made_it() -> None:
    assert item_fields(item(3)) == {"job": "j", "item": "j:3", "attempt": 2, "fence": 7, "request_id": "r"}


def test_a_batch_tells_the_ids_of_its_first_items_and_each_request_once() -> None:
    fields = batch_fields([item(index, "a" if index % 2 else None) for index in range(3 * MOST_IDS)])
    assert fields["items"] == 3 * MOST_IDS
    assert fields["item_ids"] == [f"j:{index}" for index in range(MOST_IDS)]
    assert fields["request_ids"] == ["a"]
    many = batch_fields([item(index, f"r{index}") for index in range(3 * MOST_IDS)])
    assert len(many["request_ids"]) == MOST_IDS


@pytest.mark.parametrize(("level", "lines"), [(logging.INFO, 0), (logging.DEBUG, 3)])
def test_each_item_has_a_line_where_somebody_wants_it(level: int, lines: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(level)
    debug_each(logging.getLogger("workers"), "item stored", [item(index) for index in range(3)])
    assert [record.message for record in caplog.records] == ["item stored"] * lines
