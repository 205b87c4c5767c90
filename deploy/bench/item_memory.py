"""What fills Redis: bytes of an item in each state."""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from deploy.bench.jobs import job_spec, null_result
from deploy.bench.servers import redis_of_its_own
from deploy.errors import BenchmarkError
from workers.bulk_inputs import BulkInputs
from workers.job_store import JobStore
from workers.messages import ClaimedItem, JobSpec, Result
from workers.redis_client import RedisClient, connect
from workers.repairs import RestoredItem, item_arguments
from workers.scripts import Scripts
from workers.settings import QueueSettings

_MODEL: Final = "coco-stuff"
_OWNER: Final = "0123456789abcdef"
_JOB_ITEMS: Final = 50
_AT_ONCE: Final = 250
_DIGEST: Final = "0123456789abcdef" * 4
_UNLIMITED: Final = 2**60


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemBytes:
    """Memory of Redis for each item, its part of the job and of all lists included."""

    queued: float
    running: float
    ended: float
    """Until the retention is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOfItems:
    """Of jobs of one item, of fifty, and of a bulk job."""

    items: int
    alone: ItemBytes
    in_jobs_of_50: ItemBytes
    in_a_bulk_job: ItemBytes


def measure_memory_of_items(*, items: int) -> MemoryOfItems:
    """Each kind of job on an empty Redis. Raises BenchmarkError: where not all items are handed out."""
    return MemoryOfItems(
        items=items,
        alone=_item_bytes(items, partial(_submit_jobs, items, each=1)),
        in_jobs_of_50=_item_bytes(items, partial(_submit_jobs, items, each=_JOB_ITEMS)),
        in_a_bulk_job=_item_bytes(items, partial(_submit_bulk, items)),
    )


def _item_bytes(items: int, submit: Callable[[JobStore, RedisClient], None]) -> ItemBytes:
    with tempfile.TemporaryDirectory() as folder, redis_of_its_own(Path(folder)) as url:
        client = connect(url)
        caps = dict.fromkeys(("max_open_items", "max_open_pixels", "max_owner_items", "max_owner_pixels"), _UNLIMITED)
        store = JobStore(client, QueueSettings(lease_seconds=3600, **caps))
        _warm_up(store)
        empty = _memory(client)
        submit(store, client)
        queued = _memory(client)
        claimed = list(_claim_all(store))
        running = _memory(client)
        for batch in claimed:
            store.commit([_result(item) for item in batch])
        for job_id in {item.job_id for batch in claimed for item in batch}:
            store.mark_recorded(job_id, mark=store.record_mark(job_id))
        ended = _memory(client)
    if sum(map(len, claimed)) != items:
        raise BenchmarkError(f"{sum(map(len, claimed))} items were handed out; {items} were submitted")
    return ItemBytes(queued=(queued - empty) / items, running=(running - empty) / items, ended=(ended - empty) / items)


def _memory(client: RedisClient) -> int:
    return int(client.info("memory")["used_memory"])


def _warm_up(store: JobStore) -> None:
    """Have Redis load the scripts."""
    store.submit(dataclasses.replace(_spec(0, 1), id="warm"))
    for batch in _claim_all(store):
        store.commit([_result(item) for item in batch])


def _claim_all(store: JobStore) -> Iterator[tuple[ClaimedItem, ...]]:
    while batch := store.claim(
        worker="host-0123456789:12345:abcd", device="cuda", models=[_MODEL], max_items=8, max_pixels=_UNLIMITED
    ).batch:
        store.advance(batch.items, stage="computing")
        yield batch.items


def _result(item: ClaimedItem) -> Result:
    timings = dict.fromkeys(("decode", "compute", "encode", "upload"), 0.012345)
    return dataclasses.replace(null_result(item), digest=_DIGEST, size_bytes=123_456, timings=timings)


def _spec(number: int, items: int) -> JobSpec:
    spec = job_spec(f"{number:026}", items=items, model=_MODEL, digest=_DIGEST)
    return dataclasses.replace(spec, owner=_OWNER, request_digest=_DIGEST, request_id=_DIGEST[:32])


def _submit_jobs(items: int, store: JobStore, _: RedisClient, *, each: int) -> None:
    for first in range(0, items, each):
        spec = _spec(first, min(each, items - first))
        store.submit(spec, identities=[f"{first + index:064}" for index in range(spec.total)])


def _submit_bulk(items: int, store: JobStore, client: RedisClient) -> None:
    spec = _spec(0, 0)
    store.submit(dataclasses.replace(spec, bulk=BulkInputs(maps=items, variations=1, seed=0)))
    listed = [
        RestoredItem(spec=dataclasses.replace(one, label_map_key=f"inputs/{_OWNER}/maps/{one.index:012}.png"))
        for one in _spec(0, items).items
    ]
    scripts = Scripts(client)
    for first in range(0, items, _AT_ONCE):
        scripts.run("fill", spec.id, first, 0, "", *item_arguments(listed[first : first + _AT_ONCE]))
