"""What the views work with, built once per application and handed over through Flask's extension table."""

import threading
from dataclasses import dataclass, field
from typing import Final, cast

from flask import current_app

from api.charts import ChartSource, ProcessCharts, PrometheusCharts
from api.key_cache import KeyCache
from api.metrics import ApiMetrics
from model_store.registry import Registry
from workers.filling import Filler
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.key_store import KeyStore
from workers.limits import RateLimiter
from workers.operations import OperationsReader
from workers.recorder import Recorder
from workers.redis_client import connect_to_watch
from workers.scripts import Scripts
from workers.settings import Settings
from workers.storage import ObjectStore
from workers.stores import connect_stores
from workers.traces import Traces
from workers.wakeup import WakeUp, create_celery
from workers.webhook_targets import WebhookTargets

_KEY: Final = "spade"
MAX_WAITING_REQUESTS: Final = 4
MAX_ARCHIVES: Final = 2
MAX_LISTINGS: Final = 2
MAX_EVENT_STREAMS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts behind the API.

    `waiting_places` bounds the requests that may wait for a job at one time, `archive_places` and `stream_places` those
    that are sent an archive or events, `listing_places` those that list a prefix, so that there are always threads for
    other requests; `decoding_turns` is held to read a map. `stopping` is set when the process is to end: nothing waits
    any longer, streams are closed.
    """

    settings: Settings
    job_store: JobStore
    job_reader: JobReader
    watching_reader: JobReader
    object_store: ObjectStore
    recorder: Recorder
    filler: Filler
    registry: Registry
    wake_up: WakeUp
    keys: KeyCache
    rate_limiter: RateLimiter
    webhook_targets: WebhookTargets
    metrics: ApiMetrics
    operations: OperationsReader
    charts: ChartSource
    traces: Traces
    waiting_places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_WAITING_REQUESTS))
    archive_places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_ARCHIVES))
    stream_places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_EVENT_STREAMS))
    listing_places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_LISTINGS))
    decoding_turns: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)


def connect_services(settings: Settings, traces: Traces | None = None, *, metrics_dir: str | None = None) -> Services:
    """The real parts. They connect when they are first used. There are no traces unless some are given.

    `metrics_dir` is the folder of prometheus-client's multiprocess mode.
    """
    metrics = ApiMetrics(multiprocess_dir=metrics_dir)
    stores = connect_stores(settings, observe=metrics.storage.observe)
    watching, url = connect_to_watch(settings.redis_url), settings.prometheus_url
    reader, operations = JobReader(watching), OperationsReader(watching)
    return Services(
        settings=settings,
        job_store=stores.job_store,
        job_reader=stores.job_reader,
        watching_reader=reader,
        object_store=stores.object_store,
        recorder=stores.recorder,
        filler=stores.filler,
        registry=Registry(settings.models_dir),
        wake_up=WakeUp(create_celery(settings.redis_url), stores.client),
        keys=KeyCache(KeyStore(stores.object_store)),
        rate_limiter=RateLimiter(Scripts(stores.client)),
        webhook_targets=WebhookTargets(settings.webhooks.policy),
        metrics=metrics,
        operations=operations,
        charts=PrometheusCharts(url) if url else ProcessCharts(reader, operations),
        traces=traces or Traces(),
    )


def install_services(extensions: dict[str, object], services: Services) -> None:
    """Hand `services` over to the views of the application that has these `extensions`."""
    extensions[_KEY] = services


def stop_waiting(extensions: dict[str, object]) -> None:
    """Let the waiting requests and the streams of the application that has these `extensions` end within a second."""
    cast(Services, extensions[_KEY]).stopping.set()


def stop_traces(extensions: dict[str, object]) -> None:
    """Send the last spans of the application that has these `extensions`."""
    cast(Services, extensions[_KEY]).traces.stop()


def current_services() -> Services:
    """The services of the application that answers the current request."""
    return cast(Services, current_app.extensions[_KEY])
