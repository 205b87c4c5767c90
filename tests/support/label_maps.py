"""Label maps as files. PNGs are written bit by bit here, so that no image library can hide a mistake."""

import struct
import zlib

import numpy as np
import pytest

from spade.label_images import LabelMapError, decode_label_map
from spade.palettes import Palette

GREY, RGB, INDEXED, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, INDEXED: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
PALETTE = Palette(name="two", colors={0x9CEEDD: 0, 0x7BC800: 1})


def chunk(kind, payload=b""):
    """A chunk of PNG, with its length and checksum."""
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def scanlines(samples, depth):
    """Unfiltered PNG rows of samples (H, W, C), each padded to whole bytes."""
    rows = []
    for row in samples:
        bits = "".join(f"{int(value):0{depth}b}" for value in row.reshape(-1))
        bits += "0" * (-len(bits) % 8)
        rows.append(b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big"))
    return b"".join(rows)


def png(samples, *, depth=8, color_type=GREY, interlaced=False, before_data=b"", size=None, pixel_data=None):
    """A PNG of samples (H, W) or (H, W, C), `before_data` the chunks before them; `size` and `pixel_data` may lie."""
    samples = np.asarray(samples)
    samples = samples.reshape(*samples.shape[:2], CHANNELS[color_type])
    height, width = size or samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, int(interlaced))
    if pixel_data is None:
        passes = [samples[top::down, left::right] for left, top, right, down in ADAM7] if interlaced else [samples]
        pixel_data = b"".join(scanlines(part, depth) for part in passes if part.size)
    data = chunk(b"IDAT", zlib.compress(pixel_data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before_data + data + chunk(b"IEND")


def plte(*colors):
    """The chunk of an indexed PNG's palette, of colours 0xRRGGBB."""
    return chunk(b"PLTE", b"".join(color.to_bytes(3, "big") for color in colors))


def decode(data, *, label_nc=256, unknown_id=None, palette=None, limits=None):
    """The ids of a label map; a model of 256 classes without unknown unless said."""
    return decode_label_map(
        data, file="map.png", label_nc=label_nc, unknown_id=unknown_id, palette=palette, limits=limits
    )


def refusal(data, **options):
    """The error that a label map is refused with."""
    with pytest.raises(LabelMapError) as caught:
        decode(data, **options)
    assert str(caught.value) == f"map.png: {caught.value.detail}"
    return caught.value
