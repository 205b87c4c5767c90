"""The log lines of a worker: what becomes of each item is told with its ids."""

import logging
from typing import Any

import pytest

from deploy.local.ports import free_port
from support.bench import SIZE, Bench, store_inputs
from support.jobs import claim_batch, expire_leases, job_spec
from support.recovery import Recoverer
from support.waiting import wait_until
from workers.errors import StorageUnavailableError
from workers.reaper import Reaper
from workers.settings import StorageSettings
from workers.storage import ObjectStore


@pytest.fixture(autouse=True)
def at_info(caplog: pytest.LogCaptureFixture) -> None:
    """As services log by default."""
    caplog.set_level(logging.INFO)


def submit(bench: Bench, items: int, job_id: str = "j") -> None:
    store_inputs(bench.objects, job_id, items)
    bench.store.submit(job_spec(job_id, items, height=SIZE, width=SIZE, request_id=f"request of {job_id}"))


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """The lines of an event, with their fields."""
    return [vars(record) for record in caplog.records if record.message == event]


def test_a_batch_has_two_lines_however_many_items_it_has(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    submit(bench, 2, "a")
    submit(bench, 2, "b")
    bench.pipeline.drain(seconds=60)
    lines = [record for record in caplog.records if record.name.startswith("workers.")]
    assert [line.message for line in lines] == ["batch claimed", "batch published"]
    for line in map(vars, lines):
        assert line["item_ids"] == ["a:0", "a:1", "b:0", "b:1"]
        assert (line["items"], line["request_ids"]) == (4, ["request of a", "request of b"])


def test_items_that_the_engine_loses_and_those_it_gives_up_are_told_with_the_reason(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def fail_once(_: object) -> None:
        if len(bench.engine.batches) == 1:
            raise RuntimeError("the device fell over")

    bench.engine.before = fail_once
    submit(bench, 2)
    bench.objects.put("jobs/j/inputs/1.png", b"no PNG")
    bench.pipeline.drain(seconds=60)
    lines = {line["outcome"]: line for line in told(caplog, "items without a picture")}
    assert set(lines) == {"failed", "lost"}
    assert (lines["failed"]["item_ids"], lines["lost"]["item_ids"]) == (["j:1"], ["j:0"])
    assert lines["lost"]["error"] == "RuntimeError: the device fell over"
    assert lines["lost"]["request_ids"] == ["request of j"]


def test_items_that_are_given_back_at_the_end_are_told(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    submit(bench, 8)

    def stop_once_the_next_is_claimed(_: object) -> None:
        wait_until(lambda: bench.reader.stats().leases == 8, "the second batch is claimed")
        bench.stop.set()

    bench.engine.before = stop_once_the_next_is_claimed
    bench.pipeline.drain(seconds=60)
    (line,) = told(caplog, "items without a picture")
    assert (line["outcome"], line["levelname"]) == ("released", "INFO")
    assert line["item_ids"] == [f"j:{index}" for index in range(4, 8)]


def test_the_reaper_tells_which_items_it_takes_back(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    submit(bench, 3)
    claim_batch(bench.store, items=2)
    expire_leases(bench.client)
    Reaper(
        store=bench.store,
        reader=bench.reader,
        recorder=bench.recorder,
        wake=bench.woken.append,
        worker="w",
        interval_seconds=60,
    ).reap()
    (line,) = told(caplog, "items taken back")
    assert (line["lost"], line["expired"], sorted(line["item_ids"])) == (2, 0, ["j:0", "j:1"])


def test_a_job_that_comes_back_from_the_store_is_told_with_its_request(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    lost = Recoverer.of(bench)
    lost.store("j", 2, request_id="the first")
    lost.recovery.requeue()
    (line,) = told(caplog, "job taken back")
    assert (line["job"], line["request_id"], line["items"]) == ("j", "the first", 2)


def test_errors_of_the_object_store_tell_the_operation_and_the_key() -> None:
    nowhere = ObjectStore(
        StorageSettings(endpoint=f"127.0.0.1:{free_port()}", access_key="access-key", secret_key="secret-key")
    )
    with pytest.raises(StorageUnavailableError, match=r"does not answer when asked to put 'jobs/j/job.json'") as caught:
        nowhere.put("jobs/j/job.json", b"")
    assert "secret-key" not in str(caught.value)
    with pytest.raises(StorageUnavailableError, match=r"asked to get 'jobs/j/job.json'"):
        nowhere.get("jobs/j/job.json")
