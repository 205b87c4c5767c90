"""Batches as an engine is given them."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model_store.card import ModelCard
from workers.inputs import Inputs
from workers.messages import Batch, ClaimedItem
from workers.styles import Style


def label_maps(card: ModelCard, count: int, *, seed: int = 0) -> NDArray[np.int32]:
    """(count, H, W) ids in squares of 32 pixels, no two maps the same."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, card.label_nc, (count, card.height // 32, card.width // 32))
    return np.kron(coarse, np.ones((1, 32, 32), int)).astype(np.int32)


def inputs_of(
    card: ModelCard,
    maps: NDArray[np.int32],
    *,
    instance_maps: NDArray[np.int32] | None = None,
    styles: Sequence[Style | None] | None = None,
    style_pictures: Mapping[str, NDArray[np.uint8]] | None = None,
) -> Inputs:
    """With seeds 0, 1 …"""
    items = tuple(
        ClaimedItem(
            job_id="j",
            index=index,
            fence=1,
            attempt=1,
            label_map_key="",
            instance_map_key=None,
            seed=index,
            picture_format="png",
            picture_quality=90,
            waited_ms=0,
            style=style,
        )
        for index, style in enumerate(styles or [None] * len(maps))
    )
    _, height, width = maps.shape
    return Inputs(
        batch=Batch(
            bucket="b",
            model=card.name,
            model_version=card.version,
            weights_digest=card.weights.sha256,
            height=height,
            width=width,
            items=items,
        ),
        items=items,
        label_maps=maps,
        instance_maps=maps if instance_maps is None else instance_maps,
        decode_seconds=0.0,
        style_pictures=style_pictures or {},
    )
