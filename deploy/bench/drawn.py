"""Batches of label maps that benchmarks draw for the engines."""

import numpy as np
from numpy.typing import NDArray

from model_store.card import ModelCard
from workers.inputs import Inputs
from workers.messages import Batch, ClaimedItem

Maps = NDArray[np.int32]
"""(B, H, W) class ids of one batch."""


def draw_maps(card: ModelCard, *, batches: int, items: int) -> list[Maps]:
    """`batches` of `items` maps each, all different, the same at each call."""
    from spade.benchmarks.maps import MapKind, drawn_maps  # it loads torch

    drawn = drawn_maps(MapKind.PAINTED, card.generator, batches * items)
    labels = np.concatenate([one.labels.numpy() for one in drawn]).astype(np.int32)
    return list(labels.reshape(batches, items, card.height, card.width))


def inputs_of(card: ModelCard, maps: Maps) -> Inputs:
    """As an engine takes them; the label maps stand in for instance maps."""
    items = tuple(
        ClaimedItem(
            job_id="bare",
            index=index,
            fence=1,
            attempt=1,
            label_map_key="",
            instance_map_key=None,
            seed=index,
            picture_format="png",
            picture_quality=90,
            waited_ms=0,
        )
        for index in range(len(maps))
    )
    batch = Batch(
        bucket="bare",
        model=card.name,
        model_version=card.version,
        weights_digest=card.weights.sha256,
        height=card.height,
        width=card.width,
        items=items,
    )
    return Inputs(batch=batch, items=items, label_maps=maps, instance_maps=maps, decode_seconds=0.0)
