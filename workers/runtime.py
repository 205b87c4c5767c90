"""One worker process put together: store, object store, engine, loop and the threads beside it."""

import os
import socket
import threading
from typing import Final

from prometheus_client import CollectorRegistry

from model_store.registry import Registry
from workers.engine import Engine
from workers.health import HealthServer
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.leases import LeaseKeeper
from workers.metrics import WorkerMetrics
from workers.pipeline import ClaimLimits, Pipeline, PipelineParts
from workers.publishing import Publisher
from workers.reaper import Reaper
from workers.recorder import Recorder
from workers.redis_client import connect
from workers.settings import Settings
from workers.storage import ObjectStore
from workers.wakeup import WakeUp

_STUCK_SECONDS: Final = 600.0
_DRAIN_SECONDS: Final = 60.0


class Runtime:
    """What a Celery worker process runs. `start` once, `drain` for every wake-up, `stop` at the end."""

    def __init__(self, settings: Settings, *, registry: Registry, engine: Engine, wake_up: WakeUp) -> None:
        worker = settings.worker
        client = connect(settings.redis_url)
        store = JobStore(client, settings.queue)
        reader = JobReader(client)
        self._objects = ObjectStore(settings.storage)
        self._engine = engine
        self._registry = registry
        self._wake_up = wake_up
        self._preload = worker.models
        self._ready = threading.Event()
        self.stopping = threading.Event()
        self.metrics_registry = CollectorRegistry()

        metrics = WorkerMetrics(self.metrics_registry)
        name = f"{socket.gethostname()}:{os.getpid()}"
        recorder = Recorder(store=store, reader=reader, objects=self._objects)
        self._leases = LeaseKeeper(store, lease_seconds=settings.queue.lease_seconds)
        self.pipeline = Pipeline(
            PipelineParts(
                store=store,
                objects=self._objects,
                engine=engine,
                leases=self._leases,
                publisher=Publisher(store=store, objects=self._objects, leases=self._leases, metrics=metrics),
                metrics=metrics,
                wake=wake_up.send,
                record=recorder.record,
            ),
            ClaimLimits(
                worker=name,
                device=worker.device,
                models=served_models(settings, registry),
                max_items=worker.batch_items,
                max_pixels=worker.batch_pixels,
            ),
            stop=self.stopping,
        )

        def wake_once(model: str) -> None:
            if not wake_up.is_pending(client, model):
                wake_up.send(model)

        self._reaper = Reaper(
            store=store,
            reader=reader,
            objects=self._objects,
            recorder=recorder,
            wake=wake_once,
            worker=name,
            interval_seconds=min(5.0, settings.queue.lease_seconds / 4),
        )
        self._health = worker.port and HealthServer(
            host=worker.host,
            port=worker.port,
            registry=self.metrics_registry,
            is_live=self._is_live,
            is_ready=self._ready.is_set,
        )

    def start(self) -> None:
        """Start the side threads and load the models that the worker was told to serve."""
        if self._health:
            self._health.start()
        self._leases.start()
        self._reaper.start()
        for reference in self._preload:
            card = self._registry.resolve(reference)
            self._engine.load(card.name, card.version)
        self._ready.set()

    def drain(self, model: str) -> None:
        """Answer a wake-up."""
        if self.pipeline.drain(seconds=_DRAIN_SECONDS):
            self._wake_up.send(model)  # time was up; let Celery see to other things, then go on

    def stop(self) -> None:
        self.stopping.set()
        self._reaper.stop()
        self._leases.stop()
        if self._health:
            self._health.stop()

    def _is_live(self) -> bool:
        progress = self.pipeline.progress
        return not progress.busy.is_set() or progress.idle_seconds < _STUCK_SECONDS


def served_models(settings: Settings, registry: Registry) -> tuple[str, ...]:
    """Names of the models that a worker serves: those it was told, or all there are."""
    return settings.worker.models or tuple(dict.fromkeys(card.name for card in registry.cards()))
