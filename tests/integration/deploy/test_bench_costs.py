"""What an item, a picture and a worker without work cost, at a size that takes seconds."""

import json
import subprocess

from support.programs import SPADE_SERVE


def test_the_costs_benchmark_tells_bytes_of_items_calls_of_pictures_and_what_an_idle_worker_asks() -> None:
    command = [SPADE_SERVE, "bench", "costs", "--items", "400", "--jobs", "2", "--idle-seconds", "3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=True)
    figures = json.loads(done.stdout)
    memory, service = figures["memory"], figures["service"]
    assert memory["items"] == 400
    assert memory["alone"]["queued"] > memory["in_jobs_of_50"]["queued"] > 100
    assert memory["alone"]["ended"] > memory["alone"]["queued"]
    # A label map, the description of the job, the picture, the record of the job; and the map is read once.
    alone, together = service["storage_calls_alone"], service["storage_calls_in_jobs_of_20"]
    assert (alone["put"], alone["get"]) == (4, 1)
    assert (together["put"], together["get"]) == (2 + 2 / 20, 1)
    assert service["idle_worker"]["connections"] > 1
    assert service["idle_worker"]["commands_per_second"] > 1
