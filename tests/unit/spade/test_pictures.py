import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from spade.errors import ConfigError
from spade.pictures import EXTENSIONS, MEDIA_TYPES, PictureFormat, encode_picture


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    """A smooth picture, 40 wide and 30 high."""
    y, x = np.mgrid[:30, :40]
    return np.stack([x * 6, y * 8, x + y], axis=-1).astype(np.uint8)


def test_png_keeps_every_pixel(pixels: NDArray[np.uint8]) -> None:
    picture = Image.open(io.BytesIO(encode_picture(pixels, "png")))
    assert picture.format == "PNG"
    assert np.array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_lossy_formats_come_close_and_smaller_with_less_quality(pixels: NDArray[np.uint8], name: str) -> None:
    good, bad = encode_picture(pixels, name, 95), encode_picture(pixels, name, 10)
    picture = Image.open(io.BytesIO(good))
    assert picture.format == name.upper()
    assert np.abs(np.asarray(picture).astype(int) - pixels).mean() < 6
    assert len(bad) < len(good)


def test_pixels_need_not_lie_in_order_in_memory(pixels: NDArray[np.uint8]) -> None:
    turned = pixels.transpose(1, 0, 2)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_picture(turned)))), turned)


def test_unknown_formats_and_qualities_are_refused(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(ConfigError, match="'gif': pictures are written as one of png, jpeg, webp"):
        encode_picture(pixels, "gif")
    for quality in (0, 101):
        with pytest.raises(ConfigError, match=f"quality {quality}"):
            encode_picture(pixels, "jpeg", quality)


def test_every_format_has_an_extension_and_a_media_type() -> None:
    assert set(EXTENSIONS) == set(MEDIA_TYPES) == set(PictureFormat)


def test_a_png_is_not_larger_than_one_that_was_searched_for_repetitions():
    noise = np.random.default_rng(0).integers(0, 40, (64, 64, 3))
    slope = np.linspace(0, 200, 64)[:, None, None] + noise
    searched = io.BytesIO()
    Image.fromarray(slope.astype(np.uint8)).save(searched, format="png")
    assert len(encode_picture(slope.astype(np.uint8))) < 1.02 * searched.tell()
