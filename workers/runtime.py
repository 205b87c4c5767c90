"""One worker process put together: store, object store, engine, loop and the threads beside it."""

import os
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector

from model_store.registry import Registry
from workers.absent_models import LOOK_SECONDS, AbsentModels
from workers.copying import Copier
from workers.engine import Engine
from workers.errors import QueueUnavailableError
from workers.health import HealthServer
from workers.leases import LeaseKeeper
from workers.metrics import StorageMetrics, WorkerMetrics
from workers.periodic import Periodic
from workers.pipeline import ClaimLimits, Pipeline, PipelineParts
from workers.presence import SAY_SECONDS, PresenceWriter
from workers.publishing import Publisher
from workers.served_models import ServedModels
from workers.settings import Settings, WorkerSettings
from workers.stores import Stores, connect_stores
from workers.traces import Traces
from workers.upkeep import Upkeep
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
        traces: Traces,
    ) -> None:
        """`listen` is told of models that are served from then on, so that wake-ups for them arrive."""
        self.stopping = threading.Event()
        self._ready = threading.Event()
        self._registry = registry
        self._engine = engine
        self._wake_up = wake_up
        self._traces = traces
        self._preloaded = settings.worker.models
        self._worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
        metrics_registry = CollectorRegistry()
        ProcessCollector(registry=metrics_registry)
        metrics = WorkerMetrics(metrics_registry, worker=self._worker, device=engine.device)
        metrics.introduce(served.names)
        stores = connect_stores(settings, observe=StorageMetrics(metrics_registry).observe)
        lease_seconds = settings.queue.lease_seconds
        leases = LeaseKeeper(stores.job_store, lease_seconds=lease_seconds)

        parts = pipeline_parts(
            stores,
            registry=registry,
            engine=engine,
            leases=leases,
            metrics=metrics,
            wake=wake_up.send,
            traces=traces,
        )
        self._pipeline = Pipeline(parts, self._claim_limits(settings, served), stop=self.stopping)

        def found(model: str) -> None:
            metrics.introduce([model])
            listen(model)

        self._presence = PresenceWriter(
            stores.client,
            worker=self._worker,
            device=engine.device,
            engine=settings.worker.engine,
            models=lambda: tuple(served.names),
            counts=metrics.counts,
        )
        upkeep_seconds = min(_MAX_UPKEEP_INTERVAL_SECONDS, lease_seconds / 4)
        self._upkeep = Upkeep(
            stores,
            wake=wake_up.send,
            worker=self._worker,
            stop=self.stopping,
            interval_seconds=upkeep_seconds,
        )
        absent_models = AbsentModels(stores, registry=registry, worker=self._worker, stop=self.stopping)
        self._beside: list[HealthServer | LeaseKeeper | Periodic | Upkeep | WebhookDeliverer] = [
            *self._health(settings.worker, metrics_registry),
            leases,
            self._upkeep,
            Periodic("presence", self._presence.say, interval_seconds=SAY_SECONDS),
            Periodic("absent models", absent_models.look, interval_seconds=LOOK_SECONDS),
            Periodic("models", partial(served.look_again, found), interval_seconds=_LOOK_INTERVAL_SECONDS),
            *_webhooks(settings.webhooks, stores, metrics),
        ]

    def start(self) -> None:
        """Start the threads beside the loop and load the models that the worker was told to serve.

        Raises `SpadeError` when one of them, or the device, cannot be used.
        """
        self._engine.device()
        for part in self._beside:
            part.start()
        for name in self._preloaded:
            card = self._registry.card(name)
            self._engine.load(card.name, card.version)
        with suppress(QueueUnavailableError):  # it says so again in some seconds
            self._presence.say()
        self._ready.set()

    def drain(self, model: str) -> None:
        """Answer a wake-up."""
        self._upkeep.bring_in()
        if self._pipeline.drain(seconds=_DRAIN_SECONDS):
            self._wake_up.send(model)  # time was up; let Celery see to other things, then go on

    def stop(self) -> None:
        """Claim nothing more, stop the threads beside the loop, and send the last spans."""
        self.stopping.set()
        for part in reversed(self._beside):
            part.stop()
        with suppress(QueueUnavailableError):  # without a word it is taken for gone
            self._presence.leave()
        self._traces.stop()

    def _claim_limits(self, settings: Settings, served: ServedModels) -> ClaimLimits:
        return ClaimLimits(
            worker=self._worker,
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


def pipeline_parts(
    stores: Stores,
    *,
    registry: Registry,
    engine: Engine,
    leases: LeaseKeeper,
    metrics: WorkerMetrics,
    wake: Callable[[str], None],
    traces: Traces,
) -> PipelineParts:
    """What the loop works with, put together."""
    objects = stores.object_store
    publisher = Publisher(
        store=stores.job_store, objects=objects, leases=leases, metrics=metrics, wake=wake, traces=traces
    )
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
        traces=traces,
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
