"""The job store and the object store, as every process of the service has them at hand."""

from dataclasses import dataclass

from workers.filling import Filler
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.recorder import Recorder
from workers.redis_client import RedisClient, connect
from workers.settings import Settings
from workers.storage import ObjectStore, StorageObserver, unobserved


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Both, and what carries from one to the other."""

    client: RedisClient
    job_store: JobStore
    job_reader: JobReader
    object_store: ObjectStore
    recorder: Recorder
    filler: Filler


def connect_stores(settings: Settings, *, observe: StorageObserver = unobserved) -> Stores:
    """The stores that the settings name. They connect when they are first used.

    `observe` is told of every call to the object store.
    """
    client = connect(settings.redis_url)
    store, reader = JobStore(client, settings.queue), JobReader(client)
    objects = ObjectStore(settings.storage, observe=observe)
    return Stores(
        client=client,
        job_store=store,
        job_reader=reader,
        object_store=objects,
        recorder=Recorder(store=store, reader=reader, objects=objects),
        filler=Filler(client, store=store, objects=objects),
    )
