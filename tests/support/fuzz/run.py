"""The whole run: every kind of request, what it was answered, what was wrong, and how others fared meanwhile."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random

import httpx

from support.fuzz import conditional_cases, head_cases, json_cases, multipart_cases, path_cases, png_cases, zip_cases
from support.fuzz.answers import Answer, ask
from support.fuzz.beside import (
    CANARY_PAUSE_SECONDS,
    MAP,
    MEMORY_PAUSE_SECONDS,
    PARAMS,
    WORKER_PAUSE_SECONDS,
    Canary,
    GreyWorker,
    Memory,
    beside,
)
from support.fuzz.cases import Case, Cases, Target
from support.fuzz.described import described_cases
from support.fuzz.service import PROCESSES, running_api
from support.fuzz.slow import slow_clients
from support.fuzz.verdict import faults
from support.waiting import wait_until
from workers.settings import Settings

MIB = 2**20
CLIENTS = 6
DESCRIBED_SHARE = 0.4
REQUESTS_TO_A_LARGE_ONE = 500
REQUESTS_TO_A_SLOW_ONE = 100
SLOW_SECONDS = 20.0
MOST_EXAMPLES = 5
WARM_UP_REQUESTS = 100
MOST_GROWN_BYTES = 256 * MIB
MOST_PEAK_BYTES = 3072 * MIB
CANARY_MS = 20_000

SOURCES: tuple[Callable[[Random, Target], Cases], ...] = (
    *(png_cases.cases, zip_cases.cases, path_cases.cases, head_cases.cases, multipart_cases.cases, json_cases.cases),
    conditional_cases.cases,
)


@dataclass(kw_only=True)
class Report:
    """What the run found; `violations` is empty if all is well."""

    seed: int
    requests: int = 0
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))  # by category
    violations: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # examples by what is wrong
    canary: dict[str, float] = field(default_factory=dict)
    memory_mib: dict[str, float] = field(default_factory=dict)

    def note(self, case: Case, answer: Answer) -> None:
        self.requests += 1
        self.statuses[case.category][answer.status] += 1
        for fault in faults(answer, may_cut=case.may_cut):
            self.wrong(f"{case.category}, {case.name}: {fault}", repr(case.data[:1000]))

    def wrong(self, what: str, example: str = "") -> None:
        examples = self.violations[what]
        if len(examples) < MOST_EXAMPLES:
            examples.append(example)


def run(*, requests: int, seed: int) -> Report:
    """Fuzz an API of its own with about so many requests."""
    report, random = Report(seed=seed), Random(seed)  # noqa: S311 - no secrets
    with running_api() as api:
        settings = Settings.from_environment(api.program.environment())
        with beside(GreyWorker(settings).step, pause_seconds=WORKER_PAUSE_SECONDS):
            target = _target(api.program.url)
            memory = Memory(pid=api.pid)
            with _measured(api.program.url, memory, report):
                described, wrong = described_cases(
                    api.program.url, requests=round(requests * DESCRIBED_SHARE), seed=seed, target=target
                )
                for case, answer in described:
                    report.note(case, answer)
                for what in wrong:
                    report.wrong(f"schemathesis: {what}")
                others = requests - min(len(described), round(requests * DESCRIBED_SHARE))
                _send_all(report, api.program.port, random, target, others)
            _judge_memory(report, memory)
        if b"Traceback" in api.log.read_bytes():
            report.wrong("the API's log has a traceback", _tracebacks(api.log.read_text(errors="replace")))
    return report


def _send_all(report: Report, port: int, random: Random, target: Target, requests: int) -> None:
    slow = max(14, requests // REQUESTS_TO_A_SLOW_ONE)
    large = requests // REQUESTS_TO_A_LARGE_ONE
    plain = requests - slow - large
    sources = [source(random, target) for source in SOURCES]
    cases = itertools.islice((next(source) for source in itertools.cycle(sources)), plain)
    with ThreadPoolExecutor(1) as beside_them:
        slow_ones = beside_them.submit(
            slow_clients,
            port,
            slow,
            seconds=SLOW_SECONDS,
            random=Random(report.seed),  # noqa: S311 - as above
            target=target,
        )
        _send(report, port, cases)
        for case, answer in slow_ones.result():
            report.note(case, answer)
    _send(report, port, itertools.islice(json_cases.heavy_cases(random, target), large))


def _send(report: Report, port: int, cases: Iterable[Case]) -> None:
    with ThreadPoolExecutor(CLIENTS) as clients:
        remaining = iter(cases)
        while some := list(itertools.islice(remaining, 10 * CLIENTS)):  # so that not all lie in memory at once
            answers = clients.map(lambda case: ask(port, case.data, method=case.method), some)
            for case, answer in zip(some, answers, strict=True):
                report.note(case, answer)


@contextmanager
def _measured(url: str, memory: Memory, report: Report) -> Iterator[None]:
    canary = Canary(url)
    for _ in range(WARM_UP_REQUESTS):
        canary.step()
    canary.seconds.clear()
    memory.started = memory.now()
    with ExitStack() as running:
        running.enter_context(beside(canary.step, pause_seconds=CANARY_PAUSE_SECONDS))
        running.enter_context(beside(memory.step, pause_seconds=MEMORY_PAUSE_SECONDS))
        yield
    for error in canary.errors:
        report.wrong("a client that means well was refused", error)
    report.canary = {
        "requests": len(canary.seconds),
        "errors": len(canary.errors),
        "p50_ms": canary.percentile_ms(50),
        "p99_ms": canary.percentile_ms(99),
        "longest_ms": 1000 * max(canary.seconds),
    }
    if report.canary["longest_ms"] > CANARY_MS:
        report.wrong(f"a client that means well waited longer than {CANARY_MS} ms")


def _judge_memory(report: Report, memory: Memory) -> None:
    ended = memory.now()
    report.memory_mib = {
        "started": memory.started / MIB,
        "ended": ended / MIB,
        "growth": (ended - memory.started) / MIB,
        "peak": memory.peak / MIB,
        "peak_of_one_process": memory.peak_of_one / MIB,
    }
    if memory.peak > MOST_PEAK_BYTES:
        report.wrong(f"the API's processes took more than {MOST_PEAK_BYTES // MIB} MiB")
    if ended - memory.started > MOST_GROWN_BYTES:
        report.wrong(f"the API's processes kept more than {MOST_GROWN_BYTES // MIB} MiB")
    if len(memory.processes) > PROCESSES:
        report.wrong(f"processes of the API were replaced: there were {len(memory.processes)}")


def _target(url: str) -> Target:
    """Two jobs: one that has ended, and one that soon will."""
    files = {"label_map": ("a.png", MAP, "image/png")}
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        ids = [client.post("/v1/jobs", data=PARAMS, files=files).raise_for_status().json()["id"] for _ in range(2)]
        wait_until(lambda: client.get(f"/v1/jobs/{ids[0]}").json()["state"] == "succeeded", "a job that has ended")
    return Target(ended_job=ids[0], other_job=ids[1])


def _tracebacks(log: str) -> str:
    begin = log.index("Traceback")
    return log[max(0, begin - 500) : begin + 3000]
