"""What claim.lua hands out, as values."""

from collections.abc import Mapping
from typing import Any

from workers.bulk_inputs import BulkInputs
from workers.messages import Batch, ClaimedItem
from workers.styles import Style
from workers.twins import Twin


def claimed_batch(bucket: str, rows: list[list[str | int]], specs: Mapping[str, dict[str, Any]]) -> Batch | None:
    """Items of one bucket, with the descriptions of their jobs; None when there are none."""
    if not rows:
        return None
    model, _, rest = bucket.removesuffix("!alone").partition("@")
    version, size, *_ = rest.split("/")
    height, width = size.split("x")
    return Batch(
        bucket=bucket,
        model=model,
        model_version=version,
        weights_digest=next(iter(specs.values()))["weights_digest"],
        height=int(height),
        width=int(width),
        items=tuple(_claimed_item(row, specs) for row in rows),
    )


def _claimed_item(row: list[str | int], specs: Mapping[str, dict[str, Any]]) -> ClaimedItem:
    item_id, fence, attempt, label_map, instance_map, seed, picture_format, quality, waited, twin = row
    job_id, _, index = str(item_id).rpartition(":")
    spec = specs[job_id]
    bulk = spec["bulk"]
    return ClaimedItem(
        job_id=job_id,
        index=int(index),
        fence=int(fence),
        attempt=int(attempt),
        label_map_key=str(label_map),
        instance_map_key=str(instance_map) or None,
        seed=int(seed),
        picture_format=str(picture_format),
        picture_quality=int(quality),
        waited_ms=int(waited),
        style=Style.from_values(spec["style"]),
        reading=None if bulk is None else BulkInputs.from_values(bulk).reading,
        twin=Twin.from_json(str(twin)),
        request_id=spec.get("request_id"),
        traceparent=spec.get("traceparent"),
    )
