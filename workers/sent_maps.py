"""Label maps of bulk jobs as clients stored them: decoded, checked and resized when a worker needs them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_store.card import ModelCard
from model_store.errors import UnknownModelError, UnusableModelError
from model_store.registry import Registry
from spade.label_images import LabelMapError, decode_instance_map, decode_label_map, resize_nearest
from spade.palettes import Palette, PaletteError
from workers.accepted_models import ReplacedModelError, accepted_card
from workers.bulk_inputs import MapReading
from workers.errors import ObjectMissingError
from workers.figures import FailureReason
from workers.messages import Batch, ClaimedItem
from workers.storage import ObjectStore

_TOLD_OFFENDERS: Final = 3


class InputError(Exception):
    """An item's input cannot be used, whatever is tried. `reason` is the one that its item fails with."""

    def __init__(self, detail: str, *, reason: FailureReason = FailureReason.INPUT_UNREADABLE) -> None:
        super().__init__(detail)
        self.reason = reason


class SentMaps:
    """Reads label maps as they were sent, for the model and the picture size of a batch."""

    def __init__(self, objects: ObjectStore, registry: Registry, batch: Batch) -> None:
        self._objects = objects
        self._registry = registry
        self._batch = batch

    def read(self, item: ClaimedItem, reading: MapReading) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
        """Ids and instances, each int32 (H, W) of the batch; None where the item has no instance map.

        Raises `InputError`, or `StorageUnavailableError`.
        """
        batch = self._batch
        try:
            card = accepted_card(self._registry, batch)
            key = item.label_map_key
            ids = decode_label_map(
                self._objects.get(key),
                file=key,
                label_nc=card.label_nc,
                unknown_id=card.unknown_id,
                palette=self._palette(card, reading),
            )
            instances = None
            if item.instance_map_key is not None:
                instances = self._instances(item.instance_map_key, ids.shape)
        except LabelMapError as error:
            raise InputError(_describe(error), reason=FailureReason.INVALID_LABEL_MAP) from error
        except (UnusableModelError, ReplacedModelError) as error:
            raise InputError(str(error), reason=FailureReason.MODEL_UNUSABLE) from error
        except (ObjectMissingError, UnknownModelError, PaletteError) as error:
            raise InputError(f"the label map cannot be read: {error}") from error
        return resize_nearest(ids, batch.height, batch.width).astype(np.int32), instances

    def _instances(self, key: str, shape: tuple[int, ...]) -> NDArray[np.int32]:
        instances = decode_instance_map(self._objects.get(key), file=key)
        if instances.shape != shape:
            detail = f"it is {instances.shape[1]}x{instances.shape[0]}, its label map {shape[1]}x{shape[0]}"
            raise LabelMapError(code="size-mismatch", file=key, detail=detail)
        return resize_nearest(instances, self._batch.height, self._batch.width)

    def _palette(self, card: ModelCard, reading: MapReading) -> Palette | None:
        if reading.palette_key is not None:
            data = self._objects.get(reading.palette_key)
            return Palette.from_csv(data, file=reading.palette_key, class_ids_by_name=card.class_ids)
        return None if reading.palette is None else self._registry.palette(card, reading.palette)


def _describe(error: LabelMapError) -> str:
    offenders = "; ".join(
        f"{offender.value}: {offender.count} pixels in box {list(offender.box)}"
        for offender in error.offenders[:_TOLD_OFFENDERS]
    )
    return f"{error} ({error.code}{': ' if offenders else ''}{offenders})"
