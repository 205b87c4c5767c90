"""The benchmark of both engines, at a size that takes seconds."""

import json
import subprocess

from support.programs import SPADE_SERVE


def test_the_benchmark_of_both_engines_prints_one_json_object_of_positive_figures() -> None:
    command = [SPADE_SERVE, "bench", "engines", "--rounds", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=True)
    figures = json.loads(done.stdout)
    assert [one["concurrency"] for one in figures["compared"]] == [1, 4, 16]
    for one in figures["compared"]:
        assert one["speed"] > 0
        for engine in ("local", "torchserve"):
            assert one[engine]["pictures_per_second"] > 0
            assert one[engine]["p95_seconds"] >= one[engine]["p50_seconds"] > 0
    assert figures["java_bytes"] > 0
    assert figures["backend_bytes"] > 0
