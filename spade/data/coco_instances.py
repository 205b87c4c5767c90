"""Instance maps for COCO from its polygon annotations, as the published code's preparation makes them.

Each map begins as the stuff-thing map and every polygon is filled with a number of its own. One difference is meant:
numbers that are ids of the stuff-thing map are passed over, because a polygon upon stuff of the same number would have
no border.
"""

import json
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from spade.data.errors import DatasetError
from spade.data.reading import read_instance_map
from spade.files import written_whole
from spade.label_images import encode_ids_png

Polygons = list[list[float]]
MOST_IDS = 2**16
LARGEST_COORDINATE = 1e5


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedImage:
    """One image of an annotation file."""

    file_name: str
    height: int
    width: int
    polygons: tuple[Polygons, ...]
    """One entry for each annotation, in the file's order; each has one polygon or more, x and y in turn."""


def read_annotations(path: Path) -> list[AnnotatedImage]:
    """The images of a COCO annotation file with their polygons; run-length masks of crowds are passed over.

    Raises DatasetError: where the file is not such a file.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        polygons: dict[int, list[Polygons]] = defaultdict(list)
        for annotation in data["annotations"]:
            if isinstance(annotation["segmentation"], list):
                polygons[annotation["image_id"]].append(_checked(annotation))
        return [_annotated(image, polygons[image["id"]]) for image in data["images"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path}: this is no COCO annotation file, with images and annotations: {type(error).__name__} {error}"
        ) from error


def instance_map(stuff_things: NDArray[np.int64], image: AnnotatedImage) -> NDArray[np.int64]:
    """The stuff-thing map (H, W) with a number of its own for each annotation; later ones lie on top.

    Raises DatasetError: where the sizes differ, or pycocotools is not installed.
    """
    if stuff_things.shape != (image.height, image.width):
        found = f"{stuff_things.shape[1]}x{stuff_things.shape[0]}"
        raise DatasetError(
            f"{image.file_name}: the annotations are for {image.width}x{image.height} pixels, "
            f"but the stuff-thing map has {found}"
        )
    instances = stuff_things.copy()
    numbers = _free_numbers(np.unique(stuff_things).tolist())
    for polygons in image.polygons:
        instances[_mask(polygons, image)] = next(numbers)
    return instances


def write_instance_maps(annotations: Path, stuff_thing_folder: Path, output: Path) -> Iterator[Path]:
    """Writes `<stem>.png` for every annotated image that has a stuff-thing map, and yields each path when it is there.

    Raises DatasetError: where none of the images has a map, and as `instance_map` does.
    """
    pairs = [
        (image, stuff_thing_folder / f"{Path(image.file_name).stem}.png") for image in read_annotations(annotations)
    ]
    present = [(image, path) for image, path in pairs if path.is_file()]
    if not present:
        raise DatasetError(
            f"{stuff_thing_folder}: it has a map for none of the {len(pairs)} images of {annotations}; "
            "maps are named as their pictures, for instance 000000000139.png"
        )
    for image, path in present:
        instances = instance_map(read_instance_map(path), image)
        target = output / path.name
        with written_whole(target, durable=False) as partial:
            partial.write_bytes(encode_ids_png(instances))
        yield target


def _checked(annotation: Mapping[str, Any]) -> Polygons:
    """The polygons as floats. What is no number would make pycocotools reach for endless memory."""
    polygons = [[float(value) for value in polygon] for polygon in annotation["segmentation"]]
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2 or not all(abs(value) < LARGEST_COORDINATE for value in polygon):
            raise ValueError(f"annotation {annotation.get('id')} has a polygon that is none: {polygon!r:.60}")
    return polygons


def _annotated(image: Mapping[str, Any], polygons: Sequence[Polygons]) -> AnnotatedImage:
    height, width = image["height"], image["width"]
    if not (isinstance(height, int) and isinstance(width, int) and height > 0 and width > 0):
        raise ValueError(f"image {image['id']} has no size")
    return AnnotatedImage(file_name=str(image["file_name"]), height=height, width=width, polygons=tuple(polygons))


def _mask(polygons: Polygons, image: AnnotatedImage) -> NDArray[np.bool_]:
    """Where the polygons of one annotation are (H, W)."""
    try:
        from pycocotools import mask as masks
    except ImportError as error:
        raise DatasetError("instance maps need the package pycocotools; install spade-serving[train]") from error
    if not polygons:
        return np.zeros((image.height, image.width), dtype=bool)
    # The stubs know of whole numbers only, but polygons of COCO have fractions.
    parts = masks.frPyObjects(cast(list[list[int]], polygons), image.height, image.width)
    with warnings.catch_warnings():
        # pycocotools 2.0 hands its masks over in a way that numpy 2 will not know one day; it says so each time.
        warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
        return masks.decode(masks.merge(parts)).astype(bool)


def _free_numbers(taken: Sequence[int]) -> Iterator[int]:
    used = set(taken)
    for number in range(MOST_IDS):
        if number not in used:
            yield number
    raise DatasetError(f"an image has more than {MOST_IDS} instances")
