"""The benchmark of what telemetry costs, at a size that takes seconds."""

import json
import subprocess

from support.programs import SPADE_SERVE


def test_the_telemetry_benchmark_prints_one_json_object_and_has_sent_spans() -> None:
    sizes = ["--batches", "1", "--null-batches", "2", "--rounds", "1"]
    command = [SPADE_SERVE, "bench", "telemetry", *sizes, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=True)
    figures = json.loads(done.stdout)
    costs = {name for name in figures if "_cost" in name}
    assert costs == {"engine_cost", "engine_cost_by_cpu", "null_cost"}
    assert all(figures[name] < 1 for name in costs)
    assert all(figures[name] > 0 for name in set(figures) - costs - {"model"})
    assert figures["span_bytes_per_item"] > 500
