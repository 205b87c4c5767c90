"""From claimed items to arrays: label maps are fetched and decoded while the engine is busy with the batch before."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from model_store.registry import Registry
from spade.label_images import LabelMapError, decode_instance_map
from spade.style_pictures import StylePictureError, read_style_picture
from workers.bulk_inputs import MapReading
from workers.errors import ObjectMissingError
from workers.messages import Batch, ClaimedItem
from workers.sent_maps import InputError, SentMaps
from workers.storage import ObjectStore
from workers.traces import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A batch ready for the engine."""

    batch: Batch
    items: tuple[ClaimedItem, ...]
    label_maps: NDArray[np.int32]  # (B, H, W) class ids, unknown as label_nc
    instance_maps: NDArray[np.int32]  # (B, H, W) of which only equality counts; the label map where none was sent
    decode_seconds: float  # of one item, fetching included
    style_pictures: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)  # RGB (H, W, 3) by object key
    stages: tuple[Stage, ...] = ()  # that are behind it

    def only(self, keep: list[bool]) -> "Inputs":
        """The same without the items that are no longer ours."""
        mask = np.asarray(keep)
        return replace(
            self,
            items=tuple(item for item, kept in zip(self.items, keep, strict=True) if kept),
            label_maps=self.label_maps[mask],
            instance_maps=self.instance_maps[mask],
        )

    def after(self, stage: str, *, began: float) -> "Inputs":
        """The same when a stage that began then is behind it."""
        return replace(self, stages=(*self.stages, Stage(name=stage, began=began, ended=time.perf_counter())))


class InputLoader:
    """Reads the inputs of a batch, each object once: the variations of a map share it."""

    def __init__(self, objects: ObjectStore, registry: Registry, batch: Batch) -> None:
        self._objects = objects
        self._batch = batch
        self._sent = SentMaps(objects, registry, batch)
        self._loaded: dict[str, NDArray[np.int32]] = {}
        self.style_pictures: dict[str, NDArray[np.uint8]] = {}
        """Of the items loaded so far, as `Inputs` has them."""
        self._loaded_sent: dict[tuple[str, str], tuple[NDArray[np.int32], NDArray[np.int32] | None]] = {}

    def load(self, item: ClaimedItem) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Label map and instance map of an item, each int32 (H, W).

        Without an instance map the label map stands in: then edges are where the class changes.
        Raises `InputError`, or `StorageUnavailableError`.
        """
        if item.style is not None and item.style.picture_key is not None:
            self._load_style_picture(item.style.picture_key)
        if item.reading is not None:
            label_map, instances = self._sent_maps(item, item.reading)
            return label_map, label_map if instances is None else instances
        label_map = self._object(item.label_map_key)
        if item.instance_map_key is None:
            return label_map, label_map
        return label_map, self._object(item.instance_map_key)

    def _sent_maps(self, item: ClaimedItem, reading: MapReading) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
        key = item.job_id, item.label_map_key  # jobs may read the same map in other ways
        if key not in self._loaded_sent:
            self._loaded_sent[key] = self._sent.read(item, reading)
        return self._loaded_sent[key]

    def _load_style_picture(self, key: str) -> None:
        if key in self.style_pictures:
            return
        try:
            self.style_pictures[key] = read_style_picture(self._objects.get(key))
        except (ObjectMissingError, StylePictureError) as error:
            raise InputError(f"the stored style picture {key!r} cannot be read: {error}") from error

    def _object(self, key: str) -> NDArray[np.int32]:
        if key not in self._loaded:
            self._loaded[key] = _load(self._objects, key, self._batch)
        return self._loaded[key]


def _load(objects: ObjectStore, key: str, batch: Batch) -> NDArray[np.int32]:
    try:
        ids = decode_instance_map(objects.get(key), file=key)  # bounded and checked as what users send is
    except (ObjectMissingError, LabelMapError) as error:
        raise InputError(f"the stored input cannot be read: {error}") from error
    if ids.shape != (batch.height, batch.width):
        raise InputError(f"the stored input {key!r} is {ids.shape}; it should be {(batch.height, batch.width)}")
    return ids
