"""How a sample gets its size: one geometry for the label map, the instance map and the picture. H W: pixels."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spade.data.config import DatasetConfig, Preprocess
from spade.label_images import resize_nearest

Ids = TypeVar("Ids", bound=np.integer)
Value = TypeVar("Value", bound=np.generic)

NONE_MULTIPLE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A rectangle of the resized sample, which may reach past its right and bottom edges."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Resize to `height` x `width`, then take the window, then mirror."""

    height: int
    width: int
    window: Window | None
    mirrored: bool


def plan_geometry(config: DatasetConfig, height: int, width: int, random: np.random.Generator | None) -> Geometry:
    """How to cut a sample whose files are `height` x `width` pixels.

    With `random` as in training: a crop anywhere, mirrored by a chance of one half if the configuration says so.
    Without as in testing: resized to the crop's size, so that the crop takes in all that it can; from the middle,
    never mirrored.
    """
    # As the published code tests: load_size = crop_size.
    testing = random is None and config.preprocess.crops
    load_size = config.crop_size if testing else config.load_size
    resized_height, resized_width = _resized(config, height, width, load_size)
    window = None
    if config.preprocess.crops:
        # At most so far from the top and the left; the window reaches past the edge of a sample that is too small.
        most_top, most_left = max(0, resized_height - config.crop_size), max(0, resized_width - config.crop_size)
        top, left = most_top // 2, most_left // 2
        if random is not None:
            top, left = int(random.integers(most_top + 1)), int(random.integers(most_left + 1))
        window = Window(top=top, left=left, height=config.crop_size, width=config.crop_size)
    mirrored = random is not None and config.flip and bool(random.random() < 0.5)
    return Geometry(height=resized_height, width=resized_width, window=window, mirrored=mirrored)


def cut_ids(ids: NDArray[Ids], geometry: Geometry, *, outside: int) -> NDArray[Ids]:
    """A label map or instance map (H, W) cut to `geometry`; pixels past its edge are `outside`."""
    if ids.shape != (geometry.height, geometry.width):
        ids = resize_nearest(ids, geometry.height, geometry.width)
    return _window_and_mirror(ids, geometry, outside=outside)


def cut_picture(picture: Image.Image, geometry: Geometry) -> NDArray[np.float32]:
    """An RGB picture cut to `geometry`, float32 (3, H, W) in [-1, 1]; black past its edge."""
    if picture.size != (geometry.width, geometry.height):
        picture = picture.resize((geometry.width, geometry.height), Image.Resampling.BICUBIC)
    pixels = _window_and_mirror(np.asarray(picture), geometry, outside=0)
    return picture_to_floats(pixels)


def picture_to_floats(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 RGB (H, W, 3) as float32 (3, H, W) in [-1, 1]."""
    channels_first = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return (channels_first.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)


def floats_to_picture(picture: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(3, H, W) in [-1, 1] back to the bytes (H, W, 3) that it was read from."""
    levels = np.rint((picture.astype(np.float64) + 1) / 2 * 255)
    return levels.astype(np.uint8).transpose(1, 2, 0)


def _resized(config: DatasetConfig, height: int, width: int, load_size: int) -> tuple[int, int]:
    match config.preprocess:
        case Preprocess.RESIZE_AND_CROP:
            return load_size, load_size
        case Preprocess.FIXED:
            return round(config.crop_size / config.aspect_ratio), config.crop_size
        case Preprocess.SCALE_WIDTH | Preprocess.SCALE_WIDTH_AND_CROP:
            return max(1, load_size * height // width), load_size
        case Preprocess.SCALE_SHORTSIDE | Preprocess.SCALE_SHORTSIDE_AND_CROP:
            short = min(height, width)
            return load_size * height // short, load_size * width // short
        case Preprocess.CROP:
            return height, width
        case Preprocess.NONE:
            return _nearest_multiple(height), _nearest_multiple(width)


def _nearest_multiple(pixels: int) -> int:
    return max(NONE_MULTIPLE, round(pixels / NONE_MULTIPLE) * NONE_MULTIPLE)


def _window_and_mirror(values: NDArray[Value], geometry: Geometry, *, outside: int) -> NDArray[Value]:
    """Of an array (H, W) or (H, W, C)."""
    window = geometry.window
    if window is not None:
        values = values[window.top : window.top + window.height, window.left : window.left + window.width]
        missing = (window.height - values.shape[0], window.width - values.shape[1])
        if any(missing):
            padding = [(0, missing[0]), (0, missing[1]), (0, 0)][: values.ndim]
            values = np.pad(values, padding, constant_values=outside)
    if geometry.mirrored:
        values = values[:, ::-1]
    return np.ascontiguousarray(values)
