"""The benchmark of the service under load, at a size that takes seconds."""

import json
import subprocess

import pytest

from support.programs import SPADE_SERVE

pytestmark = pytest.mark.alone


def test_the_load_benchmark_loses_nothing_and_prints_one_json_object() -> None:
    command = [SPADE_SERVE, "bench", "load", "--seconds", "2", "--items", "1000", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    figures = json.loads(done.stdout)
    assert [row["clients"] for row in figures["latencies"]] == [10, 100, 500]
    assert all(0 < row["p50_ms"] <= row["p99_ms"] <= row["longest_ms"] for row in figures["latencies"])
    assert all(row["other_answers"] == {} for row in figures["latencies"])
    assert figures["full"]["accepted"] > 0
    assert figures["full"]["refused_without_retry_after"] == 0
    assert figures["full"]["accepted_and_not_succeeded"] == 0
    assert figures["memory"]["items"] == 1000
