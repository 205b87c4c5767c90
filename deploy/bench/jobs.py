"""Jobs as benchmarks submit them, and what a worker without an engine commits."""

import time
from typing import Final

from model_store.card import ModelCard
from workers.messages import ClaimedItem, ItemSpec, JobSpec, Result, label_map_key, picture_key

OWNER: Final = "bench"


def job_spec(
    job_id: str, *, items: int, model: str, version: str = "1", digest: str = "", height: int = 256, width: int = 256
) -> JobSpec:
    """A job of so many label maps, with seeds 0, 1 …"""
    return JobSpec(
        id=job_id,
        owner=OWNER,
        model=model,
        model_version=version,
        weights_digest=digest,
        height=height,
        width=width,
        items=tuple(
            ItemSpec(
                index=index,
                file=f"{index}.png",
                label_map_key=label_map_key(job_id, index),
                instance_map_key=None,
                seed=index,
            )
            for index in range(items)
        ),
        created_ms=time.time_ns() // 1_000_000,
        request_digest=job_id,
    )


def card_job_spec(job_id: str, card: ModelCard, *, items: int) -> JobSpec:
    """The same for a model that is there, in its own size."""
    return job_spec(
        job_id,
        items=items,
        model=card.name,
        version=card.version,
        digest=card.weights.sha256,
        height=card.height,
        width=card.width,
    )


def null_result(item: ClaimedItem) -> Result:
    """What a worker would commit, but for the picture."""
    key = picture_key(item.job_id, item.index, item.fence, item.picture_format)
    return Result(item=item, picture_key=key, digest="0" * 64, size_bytes=1, timings={"compute": 0.0})
