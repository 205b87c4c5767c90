"""Jobs as the API would submit them, and results as a worker would commit them."""

from workers.messages import ClaimedItem, ItemSpec, JobSpec, Result, label_map_key, picture_key

OWNER = "ann"


def job_spec(job_id: str, items: int = 1, **changes: object) -> JobSpec:
    """A job of `items` label maps for `landscape`, 256x256, with seeds 0, 1 …; `changes` are fields of JobSpec."""
    values: dict[str, object] = {
        "id": job_id,
        "owner": OWNER,
        "model": "landscape",
        "model_version": "1",
        "weights_digest": "0" * 64,
        "height": 256,
        "width": 256,
        "items": tuple(
            ItemSpec(
                index=index,
                file=f"{index}.png",
                label_map_key=label_map_key(job_id, index),
                instance_map_key=None,
                seed=index,
            )
            for index in range(items)
        ),
        "created_ms": 0,
        "request_digest": f"digest of {job_id}",
    }
    return JobSpec(**{**values, **changes})


def result_of(item: ClaimedItem, *, digest: str = "d", size_bytes: int = 3) -> Result:
    """What a worker commits once the picture of `item` is stored; half a second of computing."""
    key = picture_key(item.job_id, item.index, item.fence, item.picture_format)
    return Result(item=item, picture_key=key, digest=digest, size_bytes=size_bytes, timings={"compute": 0.5})
