"""Where operators' commands find Redis and the object store: told by the environment, or those of a stack."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploy.errors import StateError
from deploy.local.stack import server_settings, stack_servers
from deploy.local.state import StateFolder
from workers.audit import Audit
from workers.dead_letters import DeadLetters
from workers.job_reader import JobReader
from workers.recorder import Recorder
from workers.recovery import Recovery
from workers.redis_client import RedisClient
from workers.repairs import Repairs
from workers.settings import Settings
from workers.storage import ObjectStore
from workers.stores import connect_stores


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAccess:
    """The job store and the object store, both of which have answered."""

    client: RedisClient
    reader: JobReader
    objects: ObjectStore
    repairs: Repairs
    recorder: Recorder
    recovery: Recovery
    dead_letters: DeadLetters
    retention_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises `QueueUnavailableError` or `StorageUnavailableError` where one of them is away."""
        stores = connect_stores(settings)
        client, reader, objects, recorder = stores.client, stores.job_reader, stores.object_store, stores.recorder
        repairs = Repairs(client)
        reader.ping()
        objects.ping()
        return cls(
            client=client,
            reader=reader,
            objects=objects,
            repairs=repairs,
            recorder=recorder,
            recovery=Recovery(repairs=repairs, objects=objects, recorder=recorder, filler=stores.filler),
            dead_letters=DeadLetters(client, reader=reader, repairs=repairs, recorder=recorder),
            retention_seconds=settings.queue.retention_seconds,
        )

    def audit(self, *, safe_age_seconds: float, fix: bool, digests: bool) -> Audit:
        """An audit of the two."""
        return Audit(
            repairs=self.repairs,
            reader=self.reader,
            objects=self.objects,
            recorder=self.recorder,
            recovery=self.recovery,
            retention_seconds=self.retention_seconds,
            safe_age_seconds=safe_age_seconds,
            fix=fix,
            digests=digests,
        )


def access_stores(state: Path) -> StoreAccess:
    """The stores of `service_settings`. Raises as it does, and `QueueUnavailableError` or `StorageUnavailableError`."""
    return StoreAccess.of(service_settings(state))


def service_settings(state: Path) -> Settings:
    """What the SPADE_ variables tell, or the stack of `state` where SPADE_REDIS_URL is not set.

    Raises `StateError` where there is neither, or `SettingsError`.
    """
    if os.environ.get("SPADE_REDIS_URL"):
        return Settings.from_environment(os.environ)
    folder = StateFolder(state)
    config = folder.read_config()
    if config is None:
        raise StateError(
            f"no service is known: {state} has had none; give its folder with --state, or tell where Redis and the "
            "object store are by the SPADE_ variables"
        )
    servers = server_settings(*stack_servers(folder, config))
    return Settings.from_environment({**os.environ, **servers})
