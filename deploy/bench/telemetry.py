"""What telemetry costs a worker: pictures a second with metrics, log and traces against the same without.

The worker's own loop runs in this process over a real Redis and S3: claim, decode, compute, encode, upload, commit.
Rounds with everything on (metrics that are scraped, the log at `info`, a trace of each item that is sent to a receiver)
and with everything off take turns on the same label maps, with an engine that does nothing and with a real one. To send
the last spans counts too.
"""

import dataclasses
import logging
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, generate_latest

from deploy.bench.drawn import Maps, draw_maps
from deploy.bench.jobs import card_job_spec
from deploy.bench.saturation import BATCH_ITEMS, MODEL
from deploy.bench.servers import Servers
from deploy.bench.trace_sink import TraceSink
from deploy.errors import BenchmarkError
from deploy.local.ports import free_port
from model_store.card import ModelCard
from model_store.registry import Registry
from spade.label_images import encode_ids_png
from workers.busy_time import BusyTime
from workers.engine import Engine, LocalEngine
from workers.inputs import Inputs
from workers.leases import LeaseKeeper
from workers.logs import ContextFields, JsonLines
from workers.messages import State, label_map_key
from workers.metrics import WorkerMetrics
from workers.periodic import Periodic
from workers.pipeline import ClaimLimits, Pipeline
from workers.runtime import pipeline_parts
from workers.served_models import ServedModels
from workers.settings import Settings
from workers.stores import Stores, connect_stores
from workers.trace_settings import TraceSettings
from workers.traces import Service, Traces, start_traces

_MOST_SECONDS: Final = 600.0
_SCRAPE_SECONDS: Final = 1.0
_NULL_ROUNDS: Final = 4
"""For each round with the real engine: they are short, and the machine has other things to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryFigures:
    """Medians over the rounds; a cost is the median of each round's, as a share of the pictures a second without.

    Other work on the machine moves the CPU's times least, so that `engine_cost_by_cpu` is the steadiest: what telemetry
    takes of the CPU for an item, as a share of the time between two pictures of the real engine.
    """

    model: str
    threads: int
    batches: int
    null_batches: int
    rounds: int
    engine_pictures_per_second: float
    engine_pictures_per_second_with_telemetry: float
    engine_cost: float
    engine_cost_by_cpu: float
    null_items_per_second: float
    null_items_per_second_with_telemetry: float
    null_cost: float
    null_cpu_ms_per_item: float
    null_cpu_ms_per_item_with_telemetry: float
    span_bytes_per_item: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Telemetry:
    metrics: WorkerMetrics
    traces: Traces


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    items_per_second: float
    cpu_ms_per_item: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairs:
    """Rounds without and with telemetry, in the order of their turns."""

    off: list[_Round]
    on: list[_Round]

    def rates(self) -> tuple[float, float, float]:
        """Items a second without and with, and what telemetry costs."""
        off, on = ([one.items_per_second for one in rounds] for rounds in (self.off, self.on))
        costs = [1 - with_it / without for without, with_it in zip(off, on, strict=True)]
        return statistics.median(off), statistics.median(on), statistics.median(costs)


def measure_telemetry(*, threads: int, batches: int, null_batches: int, rounds: int) -> TelemetryFigures:
    """Run the benchmark. Raises BenchmarkError, or DeployError where a part does not start."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded, as in workers.app
    with tempfile.TemporaryDirectory(prefix="spade-bench-") as folder:
        servers = Servers.of(Path(folder))
        # Nothing is kept from one round for the next, which has the same label maps.
        service = servers.service(SPADE_THREADS=str(threads), SPADE_DEVICE="cpu", SPADE_CACHE_BYTES="0")
        sink = TraceSink(port=free_port(), service=service)
        with servers.running(), servers.child(sink):
            bench = _Bench(Settings.from_environment(service), sink, log=Path(folder) / "loop.log")
            engine = bench.measure(bench.engine, batches, rounds)
            before = sink.received_bytes()
            null_rounds = rounds * _NULL_ROUNDS
            null = bench.measure(_NullEngine(), null_batches, null_rounds)
            sent = (sink.received_bytes() - before) / ((null_rounds + 1) * null_batches * BATCH_ITEMS)
            if not sent:
                raise BenchmarkError("no spans were received, so that nothing was measured of them")
    engine_off, engine_on, engine_cost = engine.rates()
    null_off, null_on, null_cost = null.rates()
    cpu_off, cpu_on = (statistics.median(one.cpu_ms_per_item for one in kind) for kind in (null.off, null.on))
    return TelemetryFigures(
        model=MODEL,
        threads=threads,
        batches=batches,
        null_batches=null_batches,
        rounds=rounds,
        engine_pictures_per_second=engine_off,
        engine_pictures_per_second_with_telemetry=engine_on,
        engine_cost=engine_cost,
        engine_cost_by_cpu=(cpu_on - cpu_off) / 1000 * engine_off,
        null_items_per_second=null_off,
        null_items_per_second_with_telemetry=null_on,
        null_cost=null_cost,
        null_cpu_ms_per_item=cpu_off,
        null_cpu_ms_per_item_with_telemetry=cpu_on,
        span_bytes_per_item=sent,
    )


class _NullEngine:
    """Black pictures."""

    def device(self) -> str:
        return "cpu"

    def load(self, model: str, version: str) -> None:
        pass

    def ping(self) -> None:
        pass

    def synthesize(self, inputs: Inputs) -> NDArray[np.uint8]:
        return np.zeros((len(inputs.items), inputs.batch.height, inputs.batch.width, 3), np.uint8)


class _NoMetrics(WorkerMetrics):
    """Metrics that nobody wants."""

    def __init__(self) -> None:
        nothing = cast(Any, _NoMetric())
        self.stage_seconds = self.batch_items = self.pictures = self.pixels = nothing
        self.coalesced = self.refused = self.engine_errors = self.webhooks = nothing
        self.item_seconds = self.batch_fill = nothing
        self.busy = BusyTime(worker="bench", device=lambda: "cpu")


class _NoMetric:
    def labels(self, *_: str) -> "_NoMetric":
        return self

    def observe(self, _: float) -> None:
        pass

    def inc(self, _: float = 1) -> None:
        pass


class _Bench:
    """The loop with what it needs."""

    def __init__(self, settings: Settings, sink: TraceSink, *, log: Path) -> None:
        self._settings = settings
        self._stores: Stores = connect_stores(settings)
        self._registry = Registry(settings.models_dir)
        self._card: ModelCard = self._registry.card(MODEL)
        self._sink = sink
        self._log = log
        self._jobs = 0
        self.engine = LocalEngine(self._registry, settings.worker)

    def measure(self, engine: Engine, batches: int, rounds: int) -> _Pairs:
        """So many rounds of each kind, after one of each that does not count."""
        maps = draw_maps(self._card, batches=batches, items=BATCH_ITEMS)
        pairs = _Pairs(off=[], on=[])
        for number in range(rounds + 1):
            order = (False, True) if number % 2 else (True, False)
            done = {is_on: self._round(engine, maps, is_on=is_on) for is_on in order}
            if number:
                pairs.off.append(done[False])
                pairs.on.append(done[True])
        return pairs

    def _round(self, engine: Engine, maps: Sequence[Maps], *, is_on: bool) -> _Round:
        ids = [self._submit(some) for some in maps]
        leases = LeaseKeeper(self._stores.job_store, lease_seconds=self._settings.queue.lease_seconds)
        with self._everything() if is_on else _nothing() as telemetry:
            parts = pipeline_parts(
                self._stores,
                registry=self._registry,
                engine=engine,
                leases=leases,
                metrics=telemetry.metrics,
                wake=lambda _: None,
                traces=telemetry.traces,
            )
            pipeline = Pipeline(parts, self._limits(), stop=threading.Event())
            leases.start()
            began, cpu_began = time.perf_counter(), time.process_time()
            pipeline.drain(seconds=_MOST_SECONDS)
            telemetry.traces.stop()
            seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
            leases.stop()
        for job_id in ids:
            if (job := self._stores.job_reader.job(job_id)).state is not State.SUCCEEDED:
                raise BenchmarkError(f"job {job_id} is {job.state}; it should have succeeded")
        items = len(ids) * BATCH_ITEMS
        return _Round(items_per_second=items / seconds, cpu_ms_per_item=1000 * cpu_seconds / items)

    def _limits(self) -> ClaimLimits:
        return ClaimLimits(
            worker="bench",
            models=ServedModels([MODEL], self._registry),
            max_items=BATCH_ITEMS,
            max_pixels=self._settings.worker.batch_pixels,
        )

    def _submit(self, maps: Maps) -> str:
        """A job of one batch, as if a traced request had made it."""
        self._jobs += 1
        job_id = f"job-{self._jobs}"
        for index, label_map in enumerate(maps):
            data = encode_ids_png(label_map)
            self._stores.object_store.put(label_map_key(job_id, index), data, content_type="image/png")
        spec = card_job_spec(job_id, self._card, items=len(maps))
        traceparent = f"00-{self._jobs:032x}-{self._jobs:016x}-01"
        self._stores.job_store.submit(dataclasses.replace(spec, request_id=job_id, traceparent=traceparent))
        return job_id

    @contextmanager
    def _everything(self) -> Iterator[_Telemetry]:
        registry = CollectorRegistry()
        metrics = WorkerMetrics(registry)
        scrapes = Periodic("scrapes", lambda: cast(None, generate_latest(registry)), interval_seconds=_SCRAPE_SECONDS)
        traces = start_traces(TraceSettings(endpoint=self._sink.url), Service.WORKER)
        with self._log.open("a") as file, _logging_to(logging.StreamHandler(file)):
            scrapes.start()
            try:
                yield _Telemetry(metrics=metrics, traces=traces)
            finally:
                scrapes.stop()


@contextmanager
def _logging_to(handler: logging.Handler) -> Iterator[None]:
    """As `log_json_lines` has it, at `info`, for the body."""
    handler.setFormatter(JsonLines())
    handler.addFilter(ContextFields())
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers, root.level = [handler], logging.INFO
    try:
        yield
    finally:
        root.handlers, root.level = before


@contextmanager
def _nothing() -> Iterator[_Telemetry]:
    logging.disable(logging.CRITICAL)
    try:
        yield _Telemetry(metrics=_NoMetrics(), traces=Traces())
    finally:
        logging.disable(logging.NOTSET)
