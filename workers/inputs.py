"""From claimed items to arrays: label maps are fetched and decoded while the engine is busy with the batch before."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from workers.errors import ObjectMissingError
from workers.messages import Batch, ClaimedItem
from workers.storage import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A batch ready for the engine."""

    batch: Batch
    items: tuple[ClaimedItem, ...]
    label_maps: NDArray[np.int32]  # (B, H, W) class ids, unknown as label_nc
    instance_maps: NDArray[np.int32]  # (B, H, W) of which only equality counts; the label map where none was sent
    decode_seconds: float  # of one item, fetching included

    def only(self, keep: list[bool]) -> "Inputs":
        """The same without the items that are no longer ours."""
        mask = np.asarray(keep)
        return Inputs(
            batch=self.batch,
            items=tuple(item for item, kept in zip(self.items, keep, strict=True) if kept),
            label_maps=self.label_maps[mask],
            instance_maps=self.instance_maps[mask],
            decode_seconds=self.decode_seconds,
        )


class InputError(Exception):
    """An item's stored input is missing or damaged: no attempt can succeed."""


def load_item(objects: ObjectStore, item: ClaimedItem, batch: Batch) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Label map and instance map of an item, each int32 (H, W).

    Without an instance map the label map stands in: then edges are where the class changes.
    Raises `InputError`, or `StorageUnavailableError`.
    """
    label_map = _load(objects, item.label_map_key, batch)
    if item.instance_map_key is None:
        return label_map, label_map
    return label_map, _load(objects, item.instance_map_key, batch)


def _load(objects: ObjectStore, key: str, batch: Batch) -> NDArray[np.int32]:
    try:
        with Image.open(io.BytesIO(objects.get(key)), formats=["PNG"]) as image:
            ids = np.asarray(image, dtype=np.int32)
    except (ObjectMissingError, UnidentifiedImageError, OSError, SyntaxError) as error:
        raise InputError(f"The stored input {key!r} cannot be read: {error}") from error
    if ids.shape != (batch.height, batch.width):
        raise InputError(f"The stored input {key!r} is {ids.shape}; it should be {(batch.height, batch.width)}.")
    return ids
