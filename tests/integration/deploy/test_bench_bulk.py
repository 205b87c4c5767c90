"""The benchmark of a bulk job, at a size that takes seconds."""

import json
import subprocess

from support.programs import SPADE_SERVE


def test_the_bulk_benchmark_prints_one_json_object_of_what_a_job_cost_on_its_way_to_the_end() -> None:
    command = [SPADE_SERVE, "bench", "bulk", "--items", "1200", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    figures = json.loads(done.stdout)
    assert figures["items"] == 1200
    assert all(value > 0 for value in figures.values())
    assert figures["accepted_seconds"] <= figures["brought_in_seconds"] <= figures["ended_seconds"]
