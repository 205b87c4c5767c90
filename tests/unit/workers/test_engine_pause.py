"""How long a worker waits for an engine that is away."""

import threading

import pytest

from workers.engine_pause import EnginePause
from workers.errors import EngineUnavailableError


class Waits(threading.Event):
    """An event that notes how long it was waited for, and is not set until the `last` wait."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.longest: list[float] = []
        self._last = last

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.longest.append(timeout)
        return len(self.longest) >= self._last


def noted() -> None:
    """It is told that the loop is alive."""


@pytest.fixture(autouse=True)
def _longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.engine_pause.random.uniform", lambda _, longest: longest)


def test_it_asks_again_and_again_less_and_less_often_until_the_engine_answers() -> None:
    stop, left = Waits(last=100), [EngineUnavailableError("away")] * 7

    def ping() -> None:
        if left:
            raise left.pop()

    EnginePause(ping, stop=stop, note=noted).wait()
    assert stop.longest == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0])


def test_an_engine_that_answers_and_computes_nothing_is_left_alone_longer_each_time() -> None:
    stop = Waits(last=100)
    pause = EnginePause(lambda: None, stop=stop, note=noted)
    for _ in range(3):
        pause.wait()
    pause.computed()
    pause.wait()
    assert stop.longest == pytest.approx([0.2, 0.4, 0.8, 0.2])


def test_stopping_ends_the_wait_without_asking() -> None:
    def ping() -> None:
        pytest.fail("nobody needs to know any more")

    stop = Waits(last=1)
    EnginePause(ping, stop=stop, note=noted).wait()
    assert len(stop.longest) == 1
