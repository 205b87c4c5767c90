"""Counters that processes share: their space is there before they are written."""

from pathlib import Path

import pytest
from prometheus_client import Counter, values
from prometheus_client.registry import CollectorRegistry

from deploy.counters import count_as


@pytest.fixture(autouse=True)
def own_kind_of_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the test changes for the whole process is changed back."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))


def test_the_space_of_the_files_is_reserved(tmp_path: Path) -> None:
    count_as(3, tmp_path)
    Counter("c", "Counted", registry=CollectorRegistry()).inc()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counter_3.db", "histogram_3.db"]
    for path in tmp_path.iterdir():
        assert path.stat().st_blocks * 512 >= path.stat().st_size >= 2**19


def test_a_process_goes_on_where_an_earlier_one_of_its_number_ended(tmp_path: Path) -> None:
    for total in (1, 2):
        count_as(0, tmp_path)
        counter = Counter("c", "Counted", registry=CollectorRegistry())
        counter.inc()
        assert next(iter(counter.collect())).samples[0].value == total


def test_without_room_for_the_files_a_process_counts_for_itself(tmp_path: Path) -> None:
    count_as(0, tmp_path / "no such folder")
    Counter("c", "Counted", registry=CollectorRegistry()).inc()
    assert list(tmp_path.iterdir()) == []
