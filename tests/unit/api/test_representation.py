"""Jobs and pages as JSON, cursors, preferences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import ParametersRefusedError
from api.pages import _read_cursor, _write_cursor
from api.representation import represent, summarize
from api.waiting import preferred_wait
from workers.figures import QueuePosition
from workers.messages import ItemView, JobView, Priority, State

JOB = JobView(
    id="j1",
    owner="ann",
    state=State.RUNNING,
    counts={state: int(state in (State.QUEUED, State.SUCCEEDED)) for state in State},
    changes=3,
    created_ms=1_700_000_000_123,
    started_ms=1_700_000_001_000,
    finished_ms=None,
    deadline_ms=None,
    request_digest="d",
    model="landscape",
    model_version="1",
    weights_digest="0" * 64,
    height=256,
    width=512,
    precision="float32",
    priority=Priority.BULK,
    picture_format="webp",
    picture_quality=80,
    style=None,
    labels={"a": "b"},
    seed=5,
    is_bulk=False,
    filled=2,
)
ITEM = ItemView(
    index=0,
    file="a.png",
    seed=5,
    state=State.SUCCEEDED,
    attempts=2,
    reason=None,
    detail=None,
    picture_key="jobs/j1/pictures/0-7.webp",
    digest="1" * 64,
    size_bytes=99,
    timings={"compute": 0.25},
    label_map_key="jobs/j1/inputs/0.png",
    fence=7,
)


def test_a_summary_has_times_in_utc_and_counts_that_add_up():
    summary = summarize(JOB).model_dump(mode="json")
    assert summary["created_at"] == "2023-11-14T22:13:20.123Z"
    assert summary["started_at"] == "2023-11-14T22:13:21.000Z"
    assert summary["finished_at"] is None
    counts = summary["counts"]
    assert counts.pop("total") == sum(counts.values()) == 2
    assert summary["size"] == {"width": 512, "height": 256}


def test_a_job_shows_neither_owner_nor_storage_keys():
    text = represent(JOB, [ITEM], None).model_dump_json()
    assert "ann" not in text
    assert "pictures/" not in text
    assert "inputs/" not in text


def test_a_job_tells_its_place_and_its_pictures():
    job = represent(JOB, [ITEM], QueuePosition(position=4, eta_seconds=None)).model_dump(mode="json")
    assert job["queue"] == {"position": 4, "eta_seconds": None}
    assert job["seed"] == 5
    assert job["items"][0]["image"] == {"href": "/v1/jobs/j1/items/0/image", "sha256": "1" * 64, "bytes": 99}


@given(st.integers(0, 2**53), st.text(max_size=40))
def test_a_cursor_leads_back_to_its_position(created_ms, job_id):
    cursor = _write_cursor((created_ms, job_id))
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert _read_cursor(cursor) == (created_ms, job_id)


@given(st.text(max_size=60))
def test_any_other_text_is_read_as_a_position_or_refused(text):
    try:
        created_ms, job_id = _read_cursor(text)
    except ParametersRefusedError:
        return
    assert isinstance(created_ms, int)
    assert isinstance(job_id, str)


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        *[("", 0), ("wait=10", 10), ("respond-async, wait=10", 10), ('wait="7"', 7), ("wait=5; x=y", 5), ("wait=١", 0)],
        *[("wait=3600", 60), (f"wait={'9' * 400}", 60)],
    ],
)
def test_the_preferred_wait_is_read_as_the_rfc_writes_it(prefer, seconds):
    assert preferred_wait(prefer) == seconds
