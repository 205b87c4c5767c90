"""Room on disks, as the exporter tells it."""

import logging
from pathlib import Path

import pytest

from workers.exporter import DiskCollector


def test_a_disk_that_cannot_be_read_is_left_out_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gone = tmp_path / "gone"
    disks = DiskCollector([tmp_path, gone])
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            told = [sample.labels["folder"] for metric in disks.collect() for sample in metric.samples]
            assert told == [str(tmp_path)] * 2
    assert [record.message for record in caplog.records] == ["disk not read"]
    gone.mkdir()
    assert len([sample for metric in disks.collect() for sample in metric.samples]) == 4
