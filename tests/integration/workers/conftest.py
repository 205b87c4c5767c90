"""The worker's loop, an object store that tests may kill, and webhooks that are delivered."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from deploy.local.child import Child
from support.bench import Bench
from support.fault_proxy import FaultProxy
from support.jobs import claim_batch, finish, job_spec
from support.receivers import SECRET, Receiver, receiving
from support.servers import new_s3_server, storage_of
from support.waiting import wait_until
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.metrics import WorkerMetrics
from workers.redis_client import RedisClient
from workers.settings import StorageSettings
from workers.storage import ObjectStore
from workers.webhook_messages import WebhookState, WebhookView
from workers.webhook_settings import WebhookSettings
from workers.webhook_store import WebhookStore
from workers.webhook_targets import WebhookTargets
from workers.webhooks import WebhookDeliverer


@pytest.fixture
def bench(redis_client: RedisClient, objects: ObjectStore) -> Bench:
    return Bench(redis_client, objects)


@pytest.fixture
def own_s3(tmp_path: Path) -> Iterator[tuple[Child, StorageSettings]]:
    """An object store for one test alone."""
    server = new_s3_server(tmp_path / "data")
    with Child(server, log=tmp_path / "s3.log") as child:
        yield child, storage_of(server)


@pytest.fixture
def stubborn(own_s3: tuple[Child, StorageSettings]) -> Iterator[tuple[FaultProxy, ObjectStore]]:
    """An object store that can be told not to delete something, or not to hand it out."""
    settings = own_s3[1]
    proxy = FaultProxy(int(settings.endpoint.rpartition(":")[2]))
    changed = StorageSettings(
        endpoint=proxy.endpoint,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        bucket=settings.bucket,
    )
    with proxy.serving():
        yield proxy, ObjectStore(changed)


QUICK = {"secrets": (SECRET,), "allow": ("127.0.0.1",), "timeout_seconds": 20.0, "first_retry_seconds": 0.02}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """Set when the test has ended."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def delivering(redis_client: RedisClient, reader: JobReader) -> Callable[..., object]:
    """A context in which a deliverer runs; changes are of its settings."""

    @contextmanager
    def delivering(*, targets: WebhookTargets | None = None, **changes: object) -> Iterator[CollectorRegistry]:
        settings = WebhookSettings(**{**QUICK, **changes})
        registry = CollectorRegistry()
        deliverer = WebhookDeliverer(
            store=WebhookStore(redis_client),
            reader=reader,
            targets=targets or WebhookTargets(settings.policy),
            settings=settings,
            metrics=WorkerMetrics(registry),
        )
        deliverer.start()
        try:
            yield registry
        finally:
            deliverer.stop()

    return delivering


@pytest.fixture
def end(job_store: JobStore) -> Callable[..., None]:
    """Submit a job of one item with a webhook, and let it succeed."""

    def end(url: str, job_id: str = "j", **changes: object) -> None:
        job_store.submit(job_spec(job_id, webhook=url, **changes))
        finish(job_store, claim_batch(job_store))

    return end


@pytest.fixture
def webhook(reader: JobReader) -> Callable[..., WebhookView]:
    """What is known of a job's webhook."""

    def webhook(job_id: str = "j") -> WebhookView:
        view = reader.job(job_id).webhook
        assert view is not None
        return view

    return webhook


@pytest.fixture
def settled(webhook: Callable[..., WebhookView]) -> Callable[..., WebhookView]:
    """The same, once nothing more will happen to it."""

    def settled(job_id: str = "j") -> WebhookView:
        wait_until(lambda: webhook(job_id).state is not WebhookState.PENDING, "the webhook is settled", seconds=30)
        return webhook(job_id)

    return settled
