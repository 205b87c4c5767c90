"""Busy seconds are counted while they pass."""

import pytest

from workers.busy_time import BusyTime


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("workers.busy_time.time.monotonic", lambda: now[0])
    return now


def test_a_batch_in_hand_counts_before_it_ends(clock: list[float]) -> None:
    busy = BusyTime(worker="w", device=lambda: "cuda")
    with busy.computing():
        clock[0] += 30
        assert busy.seconds() == 30
        clock[0] += 12
    clock[0] += 50
    assert busy.seconds() == 42
    (family,) = busy.collect()
    assert [(sample.name, sample.labels, sample.value) for sample in family.samples] == [
        ("spade_engine_busy_seconds_total", {"worker": "w", "device": "cuda"}, 42)
    ]


def test_a_batch_that_fails_counts_too(clock: list[float]) -> None:
    busy = BusyTime(worker="w", device=lambda: "cpu")

    def fail() -> None:
        with busy.computing():
            clock[0] += 3
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert busy.seconds() == 3
