"""One worker process put together: store, object store, engine, loop and the threads beside it."""

import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry

from model_store.registry import Registry
from workers.copying import Copier
from workers.engine import Engine
from workers.filling import Filler
from workers.health import HealthServer
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.leases import LeaseKeeper
from workers.metrics import WorkerMetrics
from workers.periodic import Periodic
from workers.pipeline import ClaimLimits, Pipeline, PipelineParts
from workers.publishing import Publisher
from workers.reaper import Reaper
from workers.recorder import Recorder
from workers.redis_client import connect
from workers.retention import Retention
from workers.served_models import ServedModels
from workers.settings import Settings, WorkerSettings
from workers.storage import ObjectStore
from workers.wakeup import WakeUp
from workers.webhook_settings import WebhookSettings
from workers.webhook_store import WebhookStore
from workers.webhook_targets import WebhookTargets
from workers.webhooks import WebhookDeliverer

_STUCK_SECONDS: Final = 600.0
_DRAIN_SECONDS: Final = 60.0
_MAX_REAPER_INTERVAL_SECONDS: Final = 5.0
_FILL_INTERVAL_SECONDS: Final = 1.0
_LOOK_INTERVAL_SECONDS: Final = 3.0


class Runtime:
    """What a Celery worker process runs. `start` once, `drain` for every wake-up, `stop` at the end.

    Once `stopping` is set, nothing more is claimed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        registry: Registry,
        engine: Engine,
        wake_up: WakeUp,
        served: ServedModels,
        listen: Callable[[str], None],
    ) -> None:
        """`listen` is told of models that are served from then on, so that wake-ups for them arrive."""
        self.stopping = threading.Event()
        self._ready = threading.Event()
        self._registry = registry
        self._engine = engine
        self._wake_up = wake_up
        self._preloaded = settings.worker.models
        client = connect(settings.redis_url)
        self._worker = f"{socket.gethostname()}:{os.getpid()}"

        metrics_registry = CollectorRegistry()
        store, reader = JobStore(client, settings.queue), JobReader(client)
        objects = ObjectStore(settings.storage)
        recorder = Recorder(store=store, reader=reader, objects=objects)
        leases = LeaseKeeper(store, lease_seconds=settings.queue.lease_seconds)
        metrics = WorkerMetrics(metrics_registry)
        publisher = Publisher(store=store, objects=objects, leases=leases, metrics=metrics, wake=wake_up.send)
        parts = PipelineParts(
            store=store,
            objects=objects,
            registry=registry,
            engine=engine,
            leases=leases,
            publisher=publisher,
            copier=Copier(objects=objects, publisher=publisher, leases=leases, metrics=metrics),
            metrics=metrics,
            wake=wake_up.send,
            record=recorder.record,
        )
        self._pipeline = Pipeline(parts, self._claim_limits(settings, served), stop=self.stopping)
        reaper_seconds = min(_MAX_REAPER_INTERVAL_SECONDS, settings.queue.lease_seconds / 4)
        reaper = Reaper(
            store=store,
            reader=reader,
            recorder=recorder,
            wake=wake_up.send,
            worker=self._worker,
            interval_seconds=reaper_seconds,
        )
        remove = partial(Retention(store=store, objects=objects).take_turn, holder=self._worker, stop=self.stopping)
        removing = Periodic("retention", remove, interval_seconds=reaper_seconds)
        filler = Filler(client, store=store, objects=objects)
        fill = partial(filler.fill_all, holder=self._worker, wake=wake_up.send, stop=self.stopping)
        filling = Periodic("filler", fill, interval_seconds=_FILL_INTERVAL_SECONDS)
        looking = Periodic("models", partial(served.look_again, listen), interval_seconds=_LOOK_INTERVAL_SECONDS)
        health = self._health(settings.worker, metrics_registry)
        webhooks = _webhooks(settings.webhooks, WebhookStore(client), reader, metrics)
        self._beside: list[HealthServer | LeaseKeeper | Periodic | Reaper | WebhookDeliverer]
        self._beside = [*health, leases, reaper, removing, filling, looking, *webhooks]

    def start(self) -> None:
        """Start the threads beside the loop and load the models that the worker was told to serve.

        Raises `SpadeError` when one of them cannot be used.
        """
        for part in self._beside:
            part.start()
        for name in self._preloaded:
            card = self._registry.card(name)
            self._engine.load(card.name, card.version)
        self._ready.set()

    def drain(self, model: str) -> None:
        """Answer a wake-up."""
        if self._pipeline.drain(seconds=_DRAIN_SECONDS):
            self._wake_up.send(model)  # time was up; let Celery see to other things, then go on

    def stop(self) -> None:
        """Claim nothing more and stop the threads beside the loop."""
        self.stopping.set()
        for part in reversed(self._beside):
            part.stop()

    def _claim_limits(self, settings: Settings, served: ServedModels) -> ClaimLimits:
        return ClaimLimits(
            worker=self._worker,
            device=settings.worker.device,
            models=served,
            max_items=settings.worker.batch_items,
            max_pixels=settings.worker.batch_pixels,
        )

    def _health(self, worker: WorkerSettings, metrics_registry: CollectorRegistry) -> list[HealthServer]:
        """None where the worker has no port for it."""
        if worker.port is None:
            return []
        return [
            HealthServer(
                host=worker.host,
                port=worker.port,
                registry=metrics_registry,
                is_live=self._is_live,
                is_ready=self._ready.is_set,
            )
        ]

    def _is_live(self) -> bool:
        progress = self._pipeline.progress
        return not progress.busy.is_set() or progress.idle_seconds < _STUCK_SECONDS


def _webhooks(
    settings: WebhookSettings, store: WebhookStore, reader: JobReader, metrics: WorkerMetrics
) -> list[WebhookDeliverer]:
    """None where there is no secret to sign with."""
    if not settings.secrets:
        return []
    targets = WebhookTargets(settings.policy)
    return [WebhookDeliverer(store=store, reader=reader, targets=targets, settings=settings, metrics=metrics)]
