"""Encoding of finished pictures, the same for the command line and the workers. Light: numpy and Pillow."""

import io
import zlib
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spade.errors import ConfigError


class PictureFormat(StrEnum):
    """What `encode_picture` writes."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
"""File name endings of the formats."""

MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


def encode_picture(pixels: NDArray[np.uint8], format: str = "png", quality: int = 90) -> bytes:
    """Encodes RGB `pixels` (H, W, 3), uint8, as `png`, `jpeg` or `webp`.

    `quality` 1 to 100 is for jpeg and webp; png keeps every pixel.

    Raises ConfigError: for an unknown format or a quality out of range.
    """
    if format not in EXTENSIONS:
        raise ConfigError(f"format {format!r}: pictures are written as one of {', '.join(EXTENSIONS)}")
    if not 1 <= quality <= 100:
        raise ConfigError(f"quality {quality}: it must be from 1 to 100")
    # Pictures hardly ever repeat a row of bytes elsewhere: looking for that takes most of the time and saves nothing.
    options: dict[str, Any] = {"compress_type": zlib.Z_RLE} if format == "png" else {"quality": quality}
    encoded = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(encoded, format=format, **options)
    return encoded.getvalue()
