"""The engine in the worker's process against TorchServe: pictures a second and seconds a batch, in one run.

Each is given the same batches, of as many label maps as are in flight at once, in turns. No two maps are the same, so
that nothing is kept from one for another. TorchServe puts requests together eight at a time, as it does for a worker.
Both have the same threads, and do not compute at the same time.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from deploy.bench.drawn import Maps, draw_maps, inputs_of
from deploy.local.child import Child
from deploy.torchserve.management import TorchServeManagement
from deploy.torchserve.server import TorchServe, TorchServePorts, archive_config
from model_store.card import ModelCard
from model_store.registry import Registry, default_models_folder
from model_store.torchserve.archive import write_archive
from workers.engine import Engine, LocalEngine
from workers.settings import EngineKind, WorkerSettings
from workers.torchserve_engine import TorchServeEngine
from workers.torchserve_settings import TorchServeSettings

MODEL: Final = "landscape"
CONCURRENCIES: Final = (1, 4, 16)
_BATCH_ITEMS: Final = 8
_REGISTER_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFigures:
    """Of one engine at one concurrency. Seconds are those of a whole batch."""

    pictures_per_second: float
    p50_seconds: float
    p95_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFigures:
    """Of both engines with so many pictures in flight; `speed` is TorchServe's by the local engine's, each round's
    ratio, the median."""

    concurrency: int
    local: ServedFigures
    torchserve: ServedFigures
    speed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginesFigures:
    """Of both, and what TorchServe takes besides."""

    model: str
    threads: int
    rounds: int
    compared: tuple[ComparedFigures, ...]
    torchserve_start_seconds: float
    """Until it answers, without a model."""
    model_load_seconds: float
    """Until a backend has the model, from the archive."""
    java_bytes: int
    """Resident memory at the end."""
    backend_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Started:
    engine: TorchServeEngine
    start_seconds: float
    load_seconds: float
    process: psutil.Process


def measure_engines(*, threads: int, rounds: int) -> EnginesFigures:
    """Run the benchmark. Raises DeployError where TorchServe does not start."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded, as in workers.app
    registry = Registry(default_models_folder())
    card = registry.card(MODEL)
    settings = WorkerSettings(device="cpu", threads=threads, batch_items=_BATCH_ITEMS)
    with tempfile.TemporaryDirectory(prefix="spade-bench-") as folder, _started(folder, registry, card, settings) as it:
        engines: dict[EngineKind, Engine] = {EngineKind.LOCAL: LocalEngine(registry, settings)}
        engines[EngineKind.TORCHSERVE] = it.engine
        compared = tuple(_compare(engines, card, count, rounds) for count in CONCURRENCIES)
        memory = [process.memory_info().rss for process in (it.process, *it.process.children())]
    return EnginesFigures(
        model=MODEL,
        threads=threads,
        rounds=rounds,
        compared=compared,
        torchserve_start_seconds=it.start_seconds,
        model_load_seconds=it.load_seconds,
        java_bytes=memory[0],
        backend_bytes=sum(memory[1:]),
    )


@contextmanager
def _started(folder: str, registry: Registry, card: ModelCard, settings: WorkerSettings) -> Iterator[_Started]:
    server = TorchServe(folder=Path(folder) / "ts", ports=TorchServePorts.free())
    began = time.perf_counter()
    with (
        Child(server, log=Path(folder) / "torchserve.log") as child,
        TorchServeManagement(server.management_url, server.key_file) as management,
    ):
        start_seconds = time.perf_counter() - began
        began = time.perf_counter()
        archive = write_archive(registry, card, server.archives, archive_config(settings))
        management.register(card.reference, archive.name, seconds=_REGISTER_SECONDS)
        load_seconds = time.perf_counter() - began
        reached = TorchServeSettings(url=server.url, key_file=server.key_file)
        with closing(TorchServeEngine(reached, at_once=max(CONCURRENCIES))) as engine:
            yield _Started(
                engine=engine,
                start_seconds=start_seconds,
                load_seconds=load_seconds,
                process=psutil.Process(child.pid),
            )


def _compare(engines: dict[EngineKind, Engine], card: ModelCard, count: int, rounds: int) -> ComparedFigures:
    """Batches of `count` maps, by each engine in turn, after one round to warm up."""
    batches = draw_maps(card, batches=rounds + 1, items=count)
    seconds: dict[EngineKind, list[float]] = {kind: [] for kind in engines}
    for number, maps in enumerate(batches):
        order = list(engines.items())
        for kind, engine in order if number % 2 else reversed(order):
            seconds[kind].append(_timed(engine.synthesize, card, maps))
    local, torchserve = (seconds[kind][1:] for kind in (EngineKind.LOCAL, EngineKind.TORCHSERVE))
    return ComparedFigures(
        concurrency=count,
        local=_figures(local, count),
        torchserve=_figures(torchserve, count),
        speed=statistics.median(one / other for one, other in zip(local, torchserve, strict=True)),
    )


def _timed(synthesize: Callable[..., object], card: ModelCard, maps: Maps) -> float:
    inputs = inputs_of(card, maps)
    began = time.perf_counter()
    synthesize(inputs)
    return time.perf_counter() - began


def _figures(seconds: Sequence[float], count: int) -> ServedFigures:
    return ServedFigures(
        pictures_per_second=count * len(seconds) / sum(seconds),
        p50_seconds=statistics.median(seconds),
        p95_seconds=statistics.quantiles(seconds, n=20, method="inclusive")[-1],
    )
