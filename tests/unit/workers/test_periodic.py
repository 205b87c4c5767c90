"""Work beside the worker's loop."""

import threading

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


def test_periodic_work_is_done_at_once_when_it_is_asked_for_and_once_more_for_what_is_asked_meanwhile() -> None:
    calls: list[int] = []
    may_end = threading.Event()

    def act() -> None:
        calls.append(1)
        may_end.wait(60)

    work = Periodic("work", act, interval_seconds=3600)
    work.start()
    work.hurry()
    wait_until(lambda: calls, "the first call")
    work.hurry()
    work.hurry()
    may_end.set()
    wait_until(lambda: len(calls) == 2, "the call for what was asked meanwhile")
    work.stop()
    assert len(calls) == 2
