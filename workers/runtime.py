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
from workers.health import HealthServer
from workers.leases import LeaseKeeper
from workers.metrics import WorkerMetrics
from workers.periodic import Periodic
from workers.pipeline import ClaimLimits, Pipeline, PipelineParts
from workers.publishing import Publisher
from workers.reaper import Reaper
from workers.served_models import ServedModels
from workers.settings import Settings, WorkerSettings
from workers.stores import Stores, connect_stores
from workers.upkeep import upkeep
from workers.wakeup import WakeUp
from workers.webhook_settings import WebhookSettings
from workers.webhook_store import WebhookStore
from workers.webhook_targets import WebhookTargets
from workers.webhooks import WebhookDeliverer

_STUCK_SECONDS: Final = 600.0
_DRAIN_SECONDS: Final = 60.0
_MAX_UPKEEP_INTERVAL_SECONDS: Final = 5.0
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
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        stores = connect_stores(settings)
        lease_seconds = settings.queue.lease_seconds
        leases = LeaseKeeper(stores.job_store, lease_seconds=lease_seconds)
        metrics_registry = CollectorRegistry()
        metrics = WorkerMetrics(metrics_registry)

        parts = _pipeline_parts(
            stores, registry=registry, engine=engine, leases=leases, metrics=metrics, wake=wake_up.send
        )
        self._pipeline = Pipeline(parts, self._claim_limits(settings, served), stop=self.stopping)

        upkeep_seconds = min(_MAX_UPKEEP_INTERVAL_SECONDS, lease_seconds / 4)
        self._beside: list[HealthServer | LeaseKeeper | Periodic | Reaper | WebhookDeliverer] = [
            *self._health(settings.worker, metrics_registry),
            leases,
            *upkeep(
                stores,
                wake=wake_up.send,
                worker=self._worker,
                stop=self.stopping,
                interval_seconds=upkeep_seconds,
            ),
            Periodic("models", partial(served.look_again, listen), interval_seconds=_LOOK_INTERVAL_SECONDS),
            *_webhooks(settings.webhooks, stores, metrics),
        ]

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


def _pipeline_parts(
    stores: Stores,
    *,
    registry: Registry,
    engine: Engine,
    leases: LeaseKeeper,
    metrics: WorkerMetrics,
    wake: Callable[[str], None],
) -> PipelineParts:
    objects = stores.object_store
    publisher = Publisher(store=stores.job_store, objects=objects, leases=leases, metrics=metrics, wake=wake)
    return PipelineParts(
        store=stores.job_store,
        objects=objects,
        registry=registry,
        engine=engine,
        leases=leases,
        publisher=publisher,
        copier=Copier(objects=objects, publisher=publisher, leases=leases, metrics=metrics),
        metrics=metrics,
        wake=wake,
        record=stores.recorder.record,
    )


def _webhooks(settings: WebhookSettings, stores: Stores, metrics: WorkerMetrics) -> list[WebhookDeliverer]:
    """None where there is no secret to sign with."""
    if not settings.secrets:
        return []
    return [
        WebhookDeliverer(
            store=WebhookStore(stores.client),
            reader=stores.job_reader,
            targets=WebhookTargets(settings.policy),
            settings=settings,
            metrics=metrics,
        )
    ]
