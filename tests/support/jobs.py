"""Jobs as the API would submit them, and results as a worker would commit them."""

import dataclasses
import functools
from collections.abc import Iterable

from deploy.bench import jobs
from model_store.registry import Registry
from workers.job_store import Claim, JobStore
from workers.messages import Batch, ClaimedItem, JobSpec, Result, picture_key, spec_key
from workers.redis_client import PREFIX, RedisClient
from workers.storage import ObjectStore

OWNER = "ann"


@functools.cache
def _landscape_digest() -> str:
    return Registry(None).card("landscape").weights.sha256


def job_spec(job_id: str, items: int = 1, **changes: object) -> JobSpec:
    """A job of `items` label maps for `landscape`, 256x256, with seeds 0, 1 …; `changes` are fields of JobSpec."""
    values: dict[str, object] = {"owner": OWNER, "created_ms": 0, "request_digest": f"digest of {job_id}"}
    spec = jobs.job_spec(job_id, items=items, model="landscape", digest=_landscape_digest())
    return dataclasses.replace(spec, **{**values, **changes})


def result_of(item: ClaimedItem, *, digest: str = "d", size_bytes: int = 3) -> Result:
    """What a worker commits once the picture of `item` is stored; half a second of computing."""
    key = picture_key(item.job_id, item.index, item.fence, item.picture_format)
    return Result(item=item, picture_key=key, digest=digest, size_bytes=size_bytes, timings={"compute": 0.5})


def claim(store: JobStore, *, items: int = 8, models: tuple[str, ...] = ("landscape",), worker: str = "w1") -> Claim:
    """What a worker that serves `models` is handed."""
    return store.claim(worker=worker, device="cpu", models=models, max_items=items, max_pixels=10**9)


def claim_batch(store: JobStore, **options: object) -> Batch:
    """As `claim`, where there is something to hand out."""
    batch = claim(store, **options).batch
    assert batch is not None
    return batch


def finish(store: JobStore, batch: Batch) -> None:
    """Commit a result for every item of a batch."""
    assert all(store.commit([result_of(item) for item in batch.items]).published)


def expire_leases(client: RedisClient, items: Iterable[str] | None = None) -> None:
    """Move every lease, or those of `items` as far as they live, into the past: a stand-in for waiting."""
    for item in client.zrange(f"{PREFIX}leases", 0, -1) if items is None else items:
        client.zadd(f"{PREFIX}leases", {item: 1}, xx=True)


def read_spec(objects: ObjectStore, job_id: str) -> JobSpec:
    """What the API stored of a job that it accepted."""
    return JobSpec.from_json(objects.get(spec_key(job_id)))
