"""Small pictures that show a style, as cards keep them: JPEG in base64. Light: numpy and Pillow."""

import base64
import binascii
import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_store.errors import CardError
from spade.pictures import encode_picture

SIDE_PIXELS: Final = 96
"""The longer side of those that `make_thumbnail` makes; a page shows them half as large, sharp on dense screens."""
MAX_SIDE_PIXELS: Final = 256
MAX_CHARACTERS: Final = 24_000
"""Of base64: a card holds one for each style, and every list of models tells all of them."""
_QUALITY: Final = 82


def make_thumbnail(pixels: NDArray[np.uint8]) -> str:
    """The picture `pixels` (H, W, 3), uint8, made small."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.LANCZOS)
    return base64.b64encode(encode_picture(np.asarray(picture), "jpeg", _QUALITY)).decode()


def require_thumbnail(text: str, *, where: str) -> None:
    """Raises CardError: where `text` is no whole JPEG of a small size in base64; `where` names it."""
    if len(text) > MAX_CHARACTERS:
        raise CardError(f"{where}: thumbnail has {len(text)} characters; at most {MAX_CHARACTERS} are allowed")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CardError(f"{where}: thumbnail is not base64: {error}") from error
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
            is_small = max(picture.size) <= MAX_SIDE_PIXELS
            if is_small:  # or else it is not unpacked
                picture.load()
    except Exception as error:  # Pillow's decoders raise whatever they trip over
        raise CardError(f"{where}: thumbnail cannot be read as JPEG: {error}") from error
    if not is_small:
        width, height = picture.size
        raise CardError(f"{where}: thumbnail is {width}x{height}; at most {MAX_SIDE_PIXELS} pixels a side are allowed")
