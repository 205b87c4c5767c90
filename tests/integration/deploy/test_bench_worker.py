"""The benchmark of a saturated worker, at a size that takes seconds."""

import json
import subprocess

from support.programs import SPADE_SERVE


def test_the_worker_benchmark_prints_one_json_object_of_positive_figures() -> None:
    command = [SPADE_SERVE, "bench", "worker", "--batches", "2", "--rounds", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=True)
    figures = json.loads(done.stdout)
    assert figures["threads"] == 1
    assert figures["engine_pictures_per_second"] > 0
    assert figures["worker_pictures_per_second"] > 0
    assert all(seconds > 0 for seconds in figures["stage_seconds"].values())
