"""A short campaign of faults against real processes. `make chaos` runs a long one."""

import os
from pathlib import Path

import psutil
import pytest

from chaos.campaign import run_campaign

pytestmark = pytest.mark.alone


@pytest.mark.timeout(600)  # the faults end after 70 s; the rest is for a busy machine to drain the queue
def test_nothing_is_lost_doubled_or_damaged_whatever_fails(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    campaign = run_campaign(tmp_path, os.environ, faults=26, seconds=70, seed=1)
    assert campaign.not_seen == []
    assert campaign.verdict.wrong == {}
    assert campaign.struck.total() >= 10
    assert campaign.restarts > 0
    assert campaign.verdict.items["pictures compared"] > 0
    assert set(psutil.Process().children(recursive=True)) <= before
