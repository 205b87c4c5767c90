"""The queue's benchmark, at a size that takes seconds."""

import json
import subprocess

from support.programs import SPADE_SERVE


def test_the_queue_benchmark_prints_one_json_object_of_positive_figures() -> None:
    command = [
        SPADE_SERVE,
        "bench",
        "queue",
        "--items",
        "200",
        "--rounds",
        "1",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    figures = json.loads(done.stdout)
    assert figures["items"] == 200
    assert all(value > 0 for value in figures.values())
    assert figures["submit_to_claim_p50_ms"] <= figures["submit_to_claim_p99_ms"]
