"""From sent files to maps of class ids: which palette, which faults, which size."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.bodies import Body
from api.errors import Fault, FilesRefusedError
from api.files import SentFile
from api.parameters import refuse_parameter
from model_store.card import ModelCard
from model_store.errors import UnknownModelError, UnusableModelError
from model_store.registry import Registry
from spade.label_images import LabelMapError, Offender, decode_instance_map, decode_label_map, pixels_to_unpack
from spade.palettes import Palette, PaletteError

Ids = TypeVar("Ids")
MAX_REQUEST_PIXELS: Final = 2**30
"""Of all label maps of a request: well-packed files are small, and the time to read them is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedMap:
    """A label map that can be used: ids uint16 (H, W), unknown as label_nc; instances int32 (H, W) of the same size."""

    file: str
    ids: NDArray[np.uint16]
    instances: NDArray[np.int32] | None


def resolve_model(registry: Registry, reference: str) -> ModelCard:
    """The card that a job's parameter `model` names. Raises ParametersRefusedError: listing what exists, or why not."""
    try:
        return registry.resolve(reference)
    except UnknownModelError as error:
        raise refuse_parameter("model", "unknown-model", str(error)) from error
    except UnusableModelError as error:
        raise refuse_parameter("model", "unusable-model", str(error)) from error


def choose_palette(registry: Registry, card: ModelCard, body: Body[Any]) -> Palette | None:
    """The palette that the request names or brings along. Raises ParametersRefusedError or FilesRefusedError."""
    name = body.parameters.palette
    if body.palette_csv is None:
        return None if name is None else _named_palette(registry, card, name)
    if name is not None:
        raise refuse_parameter("palette", "two-palettes", "a palette is named and a CSV file is sent; use one of both")
    try:
        return Palette.from_csv(body.palette_csv.read(), file=body.palette_csv.name, class_ids_by_name=card.class_ids)
    except PaletteError as error:
        fault = Fault(file=error.file, code="palette-unreadable", detail=error.detail)
        raise FilesRefusedError([fault]) from error


def _named_palette(registry: Registry, card: ModelCard, name: str) -> Palette:
    try:
        return registry.palette(card, name)
    except UnknownModelError as error:
        raise refuse_parameter("palette", "unknown-palette", str(error)) from error


def decode_maps(
    body: Body[Any], card: ModelCard, palette: Palette | None, *, turns: AbstractContextManager[object]
) -> Iterator[DecodedMap | tuple[Fault, ...]]:
    """For each label map of the body, in order, what it holds or what is wrong with it and its instance map.

    `turns` is held while a map is unpacked, so that requests take turns: the largest takes a gigabyte for a moment.
    Raises FilesRefusedError when all of them together have too many pixels.
    """
    pixels = 0
    for label_map, instance_map in zip(body.label_maps, body.instance_maps, strict=True):
        unpacking = _Unpacking(turns)
        decoded = _decode(label_map, instance_map, card, palette, unpacking)
        pixels += unpacking.most_pixels
        if pixels > MAX_REQUEST_PIXELS:
            detail = f"the label maps up to this one have more than {MAX_REQUEST_PIXELS} pixels; send several jobs"
            raise FilesRefusedError([Fault(file=label_map.name, code="too-many-pixels", detail=detail)])
        yield decoded


class _Unpacking:
    """Reads files and unpacks them in turn. `most_pixels` is the size of the largest, whether it can be used or not."""

    def __init__(self, turns: AbstractContextManager[object]) -> None:
        self._turns = turns
        self.most_pixels = 0

    def __call__(self, file: SentFile, decode: Callable[[bytes], Ids]) -> Ids:
        data = file.read()
        self.most_pixels = max(self.most_pixels, pixels_to_unpack(data))
        with self._turns:
            return decode(data)


def file_digest(body: Body[Any]) -> str:
    """sha256 over names and digests of all files, in order; of a bulk job over its prefix."""
    digest = hashlib.sha256(b"" if body.prefix is None else f"{body.prefix}\n".encode())
    for file in (*body.label_maps, *body.instance_maps, body.palette_csv, body.style_image):
        part = "-" if file is None else f"{file.name}\0{hashlib.sha256(file.read()).hexdigest()}"
        digest.update(f"{part}\n".encode())
    return digest.hexdigest()


def _decode(
    label_map: SentFile, instance_map: SentFile | None, card: ModelCard, palette: Palette | None, unpack: _Unpacking
) -> DecodedMap | tuple[Fault, ...]:
    faults: list[Fault] = []
    ids = instances = None
    with _collected(faults):
        decode = partial(decode_label_map, label_nc=card.label_nc, unknown_id=card.unknown_id, palette=palette)
        ids = unpack(label_map, partial(decode, file=label_map.name))
    if instance_map is not None:
        with _collected(faults):
            _check_instances_used(instance_map, card)
            instances = unpack(instance_map, partial(decode_instance_map, file=instance_map.name))
    if ids is not None and instances is not None and instances.shape != ids.shape:
        sizes = f"{instances.shape[1]}x{instances.shape[0]} pixels, its label map {ids.shape[1]}x{ids.shape[0]}"
        faults.append(Fault(file=label_map.name, code="size-mismatch", detail=f"its instance map has {sizes}"))
    return tuple(faults) if ids is None or faults else DecodedMap(file=label_map.name, ids=ids, instances=instances)


def _check_instances_used(instance_map: SentFile, card: ModelCard) -> None:
    if not card.uses_instances:
        detail = f"the model {card.name} uses no instance maps; leave it out"
        raise FilesRefusedError([Fault(file=instance_map.name, code="instance-map-unused", detail=detail)])


@contextmanager
def _collected(faults: list[Fault]) -> Iterator[None]:
    """Note what is wrong with a file and go on with the next."""
    try:
        yield
    except LabelMapError as error:
        offenders = tuple(_offender(offender) for offender in error.offenders)
        faults.append(Fault(file=error.file, code=error.code, detail=error.detail, offenders=offenders))
    except FilesRefusedError as error:
        faults.extend(error.faults)


def _offender(offender: Offender) -> dict[str, Any]:
    return {"value": offender.value, "count": offender.count, "box": list(offender.box)}
