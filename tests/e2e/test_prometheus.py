"""A real Prometheus watches the stack: what rules and dashboards ask is answered, once what they ask for is so."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import yaml

from api.client import SpadeClient
from api.parameters import JobParameters
from chaos.engine import FIRST_HARMLESS, KILLS_ALWAYS, RAISES, UNAVAILABLE
from chaos.stack import MODEL, ChaosStack
from deploy.grafana.boards import BOARDS
from deploy.grafana.panels import expressions
from deploy.local.child import Child
from deploy.local.metrics import KEY_FILE, RULES, Exporter, PrometheusServer
from deploy.local.ports import free_port
from deploy.local.servers import new_webhook_secret
from deploy.local.stack import running
from deploy.local.state import StackConfig
from spade.label_images import encode_ids_png
from support.fault_proxy import Mode
from support.keys import bearer, make_key
from support.programs import SPADE
from support.segmenters import save_untrained_segmenter
from support.waiting import wait_until
from workers.job_reader import JobReader
from workers.keys import NewKey
from workers.stores import connect_stores

pytestmark = pytest.mark.alone

RECORDED, ALERTS = (
    [rule for group in yaml.safe_load((RULES / f"{name}.yml").read_text())["groups"] for rule in group["rules"]]
    for name in ("recorded", "alerts")
)
_AT_ONCE = 8
EASIER = {
    "SpadeQueueOld": ("> 900", "> 0.1"),
    "SpadeEngineAway": ("[5m]", "[3s]"),
    "SpadeStorageFailing": ("> 0.05", "> 0"),
    "SpadeDiskFull": ("< 0.1", "< 2"),
    "SpadeQueueMemoryFull": ("> 0.85", "> 0"),
    "SpadeTrainingStalled": ("15m", "3s"),
    "SpadeTrainingLost": ('app_kubernetes_io_instance!=""}[10m]', 'app_kubernetes_io_instance=""}[3s]'),
    "SpadeTrainingUnsaved": ("> 7200", "> 0"),
}
"""Of alerts whose faults would take minutes, much room or a cluster: bounds, and others that a test can reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """A run of `spade train` and the port of its metrics."""

    process: psutil.Process
    port: int


class WatchedStack(ChaosStack):
    """The stack with faults, watched every second; a training run is among what is watched."""

    def __init__(self, state: Path, *, training_port: int, **options: Any) -> None:
        super().__init__(state, **options)
        self._training_port = training_port
        self.prometheus: PrometheusServer

    def _stages(self, config: StackConfig) -> tuple[list[list[Child]], AbstractContextManager[None]]:
        stages, beside = super()._stages(config)
        targets = {
            "spade-api": (config.api_port,),
            "spade-worker": config.worker_ports,
            "spade-exporter": (config.exporter_port,),
            "spade-training": (self._training_port,),
        }
        self.prometheus = PrometheusServer(
            folder=self.state.prometheus, port=config.prometheus_port, targets=targets, scrape_seconds=1
        )
        service = {**os.environ, "SPADE_REDIS_URL": self.settings.redis_url}
        exporter = Exporter(port=config.exporter_port, folder=self.state.path, service=service)
        (self.state.prometheus / KEY_FILE).touch()
        return [*stages, self._children(exporter, self.prometheus)], beside

    def process(self, name: str) -> psutil.Process:
        """The process of this name."""
        return psutil.Process(self.child(name).pid)


@pytest.fixture
def training_run(tmp_path: Path) -> Iterator[TrainingRun]:
    """A tiny run that often saves a checkpoint and looks at validation samples; a process of its own draws samples."""
    port = free_port()
    small = ["generator.base_channels=2", "generator.hidden_channels=4", "discriminator.base_channels=4"]
    often = ["intervals.log=1", "intervals.checkpoint=4", "workers=1", "batch_size=1"]
    judge = save_untrained_segmenter(tmp_path / "judge.safetensors", classes=13, ignored_id=13, dataset="scenes")
    looks = [f"validation.segmenter={json.dumps(str(judge))}", "validation.interval=50", "validation.samples=2"]
    settings = [word for setting in (*small, *often, *looks) for word in ("--set", setting)]
    options = ["--dataset", "scenes", "--size", "64x64", "--device", "cpu", "--metrics-port", str(port)]
    with subprocess.Popen(
        [SPADE, "train", *settings, *options, "-o", tmp_path / "run"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield TrainingRun(process=psutil.Process(process.pid), port=port)
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture
def stack(tmp_path: Path, training_run: TrainingRun) -> Iterator[WatchedStack]:
    webhooks = {"SPADE_WEBHOOK_SECRET": new_webhook_secret(), "SPADE_WEBHOOK_ALLOW": "127.0.0.1"}
    stack = WatchedStack(
        tmp_path / "watched",
        training_port=training_run.port,
        environment={**os.environ, **webhooks},
        report=lambda _: None,
        workers=2,
        longest_pause_seconds=1.0,
    )
    with stack.parts, running(stack):
        yield stack


class Watcher:
    """Asks Prometheus, and remembers which alerts it saw."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.seen: set[str] = set()

    def answers(self, expression: str) -> bool:
        """Whether there is any number."""
        answer = httpx.get(f"{self._url}/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        return any(row["value"][1] != "NaN" for row in answer["data"]["result"])

    def wait(self, *names: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Until the condition of each alert holds; how long it has to is what promtool's tests are about."""
        conditions = {rule["alert"]: rule["expr"] for rule in ALERTS}
        for name in names:
            condition = conditions[name].replace(*EASIER.get(name, ("", "")))
            wait_until(lambda condition=condition: meanwhile() or self.answers(condition), name, seconds=60)
            self.seen.add(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Submits jobs whose maps begin with a class id that tells the engine what to do."""

    client: SpadeClient
    url: str
    folder: Path
    seeds: Iterator[int] = field(default_factory=count)

    def submit(self, *firsts: int, **parameters: Any) -> str:
        paths = []
        for number, first in enumerate(firsts):
            ids = np.full((64, 64), FIRST_HARMLESS + number % 100, np.uint16)
            ids[0, 0] = first
            paths.append(self.folder / f"{number}.png")
            paths[-1].write_bytes(encode_ids_png(ids))
        asked = JobParameters(model=MODEL, size="64x64", seed=next(self.seeds), **parameters)
        return self.client.submit(paths, asked).id

    def ask_in_vain(self, key: NewKey) -> None:
        """Requests that fail because a part is away."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda _: self._ask_in_vain(key), range(_AT_ONCE)))

    def _ask_in_vain(self, key: NewKey) -> None:
        files = {"label_map": ("a.png", encode_ids_png(np.full((64, 64), FIRST_HARMLESS, np.uint16)), "image/png")}
        params = {"params": JobParameters(model=MODEL, size="64x64").model_dump_json(exclude_defaults=True)}
        answer = httpx.post(f"{self.url}/v1/jobs", headers=bearer(key), data=params, files=files, timeout=60)
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text


@contextmanager
def paused(processes: list[psutil.Process]) -> Iterator[None]:
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def test_whatever_rules_and_dashboards_ask_is_answered(
    stack: WatchedStack, training_run: TrainingRun, tmp_path: Path
) -> None:
    stores = connect_stores(stack.settings)
    key = make_key(stores.object_store, "jobs", "metrics")
    (stack.state.prometheus / KEY_FILE).write_text(key.text)
    stores.client.config_set("maxmemory", str(2**30))  # type: ignore[attr-defined]
    watcher = Watcher(stack.prometheus.url)
    with SpadeClient(stack.url, key=key.text) as client:
        sender = Sender(client=client, url=stack.url, folder=tmp_path)
        with paused([stack.process("worker-1"), stack.process("worker-2")]):
            waiting = sender.submit(*range(FIRST_HARMLESS, 20))
            watcher.wait("SpadeQueueOld", "SpadeNoProgress", "SpadeWorkerGone", "SpadeNoWorker")
        client.follow(waiting)
        # Identical maps, one of which is copied, and a receiver that is not there.
        client.follow(sender.submit(FIRST_HARMLESS, FIRST_HARMLESS, webhook=f"http://127.0.0.1:{free_port()}"))
        wait_until(lambda: a_result_comes_too_late(stack, sender, stores.job_reader, watcher), "a late result")
        for job in [sender.submit(KILLS_ALWAYS)] + [sender.submit(RAISES) for _ in range(5)]:
            assert client.follow(job).state == "failed"
        client.follow(sender.submit(UNAVAILABLE))
        watcher.wait("SpadePoisonItems", "SpadeItemsFail", "SpadeEngineAway", "SpadeDiskFull", "SpadeQueueMemoryFull")
        stack.proxy.mode = Mode.UNAVAILABLE
        watcher.wait("SpadeStorageFailing", "SpadeApiErrors", meanwhile=lambda: sender.ask_in_vain(key))
        stack.proxy.mode = Mode.PASS
    with paused([stack.process("redis")]):
        watcher.wait("SpadeJobStoreAway", "SpadeTargetDown")
    with SpadeClient(stack.url, key=key.text) as client:
        sender = replace(sender, client=client)
        for expression in [rule["record"] for rule in RECORDED] + expressions(BOARDS):
            # On a slow machine the jobs above are older than the time that a rate looks back.
            wait_until(
                lambda expression=expression: watcher.answers(expression) or not sender.submit(FIRST_HARMLESS),
                expression,
                seconds=60,
            )
    watcher.wait("SpadeTrainingUnsaved")
    with paused(training_run.process.children()):
        watcher.wait("SpadeTrainingStalled")
    with paused([training_run.process]):
        watcher.wait("SpadeTrainingLost")
    assert watcher.seen == {rule["alert"] for rule in ALERTS}


def a_result_comes_too_late(stack: WatchedStack, sender: Sender, reader: JobReader, watcher: Watcher) -> bool:
    """Pause a worker past its lease, until it held items when it was paused."""
    job = sender.submit(*range(FIRST_HARMLESS, 20))
    wait_until(lambda: reader.stats().leases, "items are held")
    with paused([stack.process("worker-1")]):
        sender.client.follow(job)
    return watcher.answers("spade_commits_refused_total")
