"""What clients see of the service under load: latency, refusals when it is full, and memory over many items.

The engine is left out, so that the service itself is what is measured: API, Redis, object store and queue are real, a
worker commits at once. Clients are locust's, each of which submits again as soon as it has its answer.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.bench.load_memory import MemoryFigures, measure_memory
from deploy.bench.load_requests import ACCEPTED_VARIABLE, REFUSED_ODDLY, VARIATIONS_VARIABLE
from deploy.bench.load_stack import API_PROCESSES, LoadStack, running_stack
from deploy.bench.waiting import wait_until
from deploy.errors import BenchmarkError
from workers.job_reader import JobReader
from workers.messages import State
from workers.redis_client import connect

CLIENTS: Final = (10, 100, 500)
ACCEPTED: Final = "202"
_FULL_CLIENTS: Final = 100
_FULL_ITEMS: Final = 2000
_FULL_VARIATIONS: Final = 64
_DRAIN_SECONDS: Final = 120.0
_USER_MODULE: Final = Path(__file__).with_name("load_user.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyFigures:
    """Submissions of one label map by so many clients. Times in milliseconds, of accepted submissions alone."""

    clients: int
    accepted: int
    accepted_per_second: float
    p50_ms: float
    p99_ms: float
    longest_ms: float
    other_answers: dict[str, int]  # by status; `0` is no answer


@dataclass(frozen=True, slots=True, kw_only=True)
class FullFigures:
    """Jobs of 64 items by 100 clients against a cap on open items that they reach."""

    clients: int
    cap_items: int
    accepted: int
    refused: int  # 429 with Retry-After
    refused_without_retry_after: int
    other_answers: dict[str, int]
    accepted_and_not_succeeded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFigures:
    """All of it."""

    api_processes: int
    latencies: list[LatencyFigures]
    full: FullFigures
    memory: MemoryFigures


def measure_load(*, seconds: float, items: int) -> LoadFigures:
    """Run the benchmark: `seconds` for each number of clients and for the full queue, `items` for the memory.

    Raises BenchmarkError where locust is missing or an accepted job is lost, DeployError where a part does not start.
    """
    if importlib.util.find_spec("locust") is None:
        raise BenchmarkError("locust is not installed; it comes with the extra [dev]: deploy/setup.sh dev")
    with running_stack() as stack:
        latencies = [_latency(stack, clients, seconds) for clients in CLIENTS]
    with running_stack(SPADE_MAX_OPEN_ITEMS=str(_FULL_ITEMS)) as stack:
        full = _full(stack, seconds)
    return LoadFigures(api_processes=API_PROCESSES, latencies=latencies, full=full, memory=measure_memory(items))


def _latency(stack: LoadStack, clients: int, seconds: float) -> LatencyFigures:
    answers = _run_clients(stack, clients=clients, seconds=seconds, variations=1)
    accepted = answers.pop(ACCEPTED, None)
    if accepted is None:
        raise BenchmarkError(f"none of the submissions of {clients} clients was accepted: {_counts(answers)}")
    _require_succeeded(stack)
    longest_ms = accepted["max_response_time"]
    times = Counter({int(ms): count for ms, count in accepted["response_times"].items()})
    return LatencyFigures(
        clients=clients,
        accepted=accepted["num_requests"],
        accepted_per_second=accepted["num_requests"] / seconds,
        p50_ms=min(longest_ms, _percentile(times, 0.5)),
        p99_ms=min(longest_ms, _percentile(times, 0.99)),
        longest_ms=longest_ms,
        other_answers=_counts(answers),
    )


def _full(stack: LoadStack, seconds: float) -> FullFigures:
    answers = _run_clients(stack, clients=_FULL_CLIENTS, seconds=seconds, variations=_FULL_VARIATIONS)
    counts = _counts(answers)
    return FullFigures(
        clients=_FULL_CLIENTS,
        cap_items=_FULL_ITEMS,
        accepted=counts.pop(ACCEPTED, 0),
        refused=counts.pop("429", 0),
        refused_without_retry_after=counts.pop(REFUSED_ODDLY, 0),
        other_answers=counts,
        accepted_and_not_succeeded=_not_succeeded(stack),
    )


def _run_clients(stack: LoadStack, *, clients: int, seconds: float, variations: int) -> dict[str, Any]:
    """What locust counted, by the status of the answers."""
    command: list[str | Path] = [
        *(sys.executable, "-P", "-m", "locust", "--locustfile", _USER_MODULE, "--headless", "--json"),
        *("--users", str(clients), "--spawn-rate", str(clients), "--run-time", f"{seconds:g}s", "--stop-timeout", "60"),
        *("--host", stack.url, "--skip-log-setup", "--exit-code-on-error", "0"),
    ]
    told = {ACCEPTED_VARIABLE: str(stack.folder / "accepted"), VARIATIONS_VARIABLE: str(variations)}
    done = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"locust failed: {(done.stderr.strip().splitlines() or ['no reason was given'])[-1]}")
    return {entry["name"]: entry for entry in json.loads(done.stdout[done.stdout.index("[") :])}


def _counts(answers: dict[str, Any]) -> dict[str, int]:
    return {name: entry["num_requests"] for name, entry in answers.items()}


def _percentile(times: Counter[int], share: float) -> float:
    """Of times with their counts. Locust rounds them, above 100 ms to two digits: a few come out above the longest."""
    left = share * times.total()
    for time_ms, count in sorted(times.items()):
        left -= count
        if left <= 0:
            return float(time_ms)
    return 0.0


def _require_succeeded(stack: LoadStack) -> None:
    if lost := _not_succeeded(stack):
        raise BenchmarkError(f"{lost} accepted jobs have not succeeded")


def _not_succeeded(stack: LoadStack) -> int:
    """How many of the jobs that clients were told are accepted do not succeed."""
    reader = JobReader(connect(stack.settings.redis_url))
    with suppress(BenchmarkError):  # what is still open then is counted
        wait_until(lambda: not reader.stats().open_items, "no item is open", seconds=_DRAIN_SECONDS)
    accepted = (stack.folder / "accepted").read_text(encoding="ascii").split()
    return sum(reader.job(job_id).state is not State.SUCCEEDED for job_id in accepted)
