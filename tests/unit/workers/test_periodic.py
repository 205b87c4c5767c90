"""Work beside the worker's loop."""

import pytest

from support.waiting import wait_until
from workers.errors import QueueUnavailableError
from workers.periodic import Periodic


def test_periodic_work_goes_on_after_any_error(caplog: pytest.LogCaptureFixture) -> None:
    errors = iter([QueueUnavailableError("away"), ValueError("a mistake")])
    calls: list[int] = []

    def fail_twice() -> None:
        calls.append(1)
        for error in errors:
            raise error

    work = Periodic("work", fail_twice, interval_seconds=0.01)
    work.start()
    wait_until(lambda: len(calls) >= 4, "two calls after the errors")
    work.stop()
    assert [record.message for record in caplog.records] == ["periodic work waits", "periodic work failed"]
