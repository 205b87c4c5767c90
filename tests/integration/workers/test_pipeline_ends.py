"""What a worker's loop leaves behind when it ends in other ways than by an empty queue."""

import pytest

from support.bench import Bench
from support.jobs import OWNER
from workers.errors import EngineUnavailableError, StorageUnavailableError
from workers.inputs import Inputs
from workers.messages import State


def test_a_loop_that_is_broken_off_holds_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Inputs) -> None:
        raise EngineUnavailableError("503")

    def broken() -> None:
        raise RuntimeError("no such answer was expected")

    bench.engine.before = away
    monkeypatch.setattr(bench.pipeline._engine_pause, "_ping", broken)
    bench.submit("j", 12)
    with pytest.raises(RuntimeError, match="no such answer"):
        bench.pipeline.drain(seconds=60)
    assert bench.states("j") == [State.QUEUED] * 12
    assert bench.reader.stats().leases == 0
    bench.engine.before = lambda _: None
    bench.pipeline.drain(seconds=60)
    assert bench.states("j") == [State.SUCCEEDED] * 12


def test_pictures_are_published_though_a_late_one_cannot_be_removed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel_one(_: Inputs) -> None:
        bench.store.cancel("late", owner=OWNER)

    def refuse(key: str) -> None:
        raise StorageUnavailableError(f"the object store refused to delete {key!r}")

    bench.submit("in-time", 1)
    bench.submit("late", 1)
    bench.engine.before = cancel_one
    monkeypatch.setattr(bench.objects, "delete", refuse)
    bench.pipeline.drain(seconds=60)
    assert bench.states("in-time") == [State.SUCCEEDED]
    assert bench.states("late") == [State.CANCELED]
    assert bench.reader.job("in-time").state is State.SUCCEEDED
