"""Pictures whose style is wanted, as people send them. Light: numpy and Pillow."""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from spade.config import ENCODER_SIDE
from spade.errors import SpadeError

MAX_PIXELS: Final = 2**26
_FORMATS: Final = ("PNG", "JPEG", "WEBP")


class StylePictureError(SpadeError):
    """A file that cannot be read as a picture; the message says what would be right."""


def read_style_picture(data: bytes) -> NDArray[np.uint8]:
    """RGB (ENCODER_SIDE, ENCODER_SIDE, 3), uint8: the whole picture, upright, resized as pictures are in training.

    Raises StylePictureError: where it is no PNG, JPEG or WebP, is cut short, or has more than `MAX_PIXELS` pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                size = f"{picture.width}x{picture.height}"
                raise StylePictureError(f"it is {size}; a style picture may have at most {MAX_PIXELS} pixels")
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            return np.asarray(upright.resize((ENCODER_SIDE, ENCODER_SIDE), Image.Resampling.BICUBIC))
    except StylePictureError:
        raise
    except UnidentifiedImageError as error:
        raise StylePictureError("it is no PNG, JPEG or WebP") from error
    except Image.DecompressionBombError as error:
        raise StylePictureError(f"a style picture may have at most {MAX_PIXELS} pixels") from error
    except Exception as error:  # Pillow's decoders raise whatever they trip over
        raise StylePictureError(f"it cannot be read as PNG, JPEG or WebP: {error}") from error
