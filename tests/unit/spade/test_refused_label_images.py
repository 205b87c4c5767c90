"""Label maps and instance maps that are refused: every trap of a format that was made for looking."""

import struct

import numpy as np
import pytest

from spade.errors import ConfigError
from spade.label_images import (
    LabelMapError,
    LabelMapLimits,
    decode_instance_map,
    pixels_to_unpack,
)
from support.label_maps import (
    CHANNELS,
    GREY_ALPHA,
    INDEXED,
    PALETTE,
    RGB,
    RGB_ALPHA,
    chunk,
    decode,
    plte,
    png,
    refusal,
)


def test_an_empty_file_is_refused():
    assert refusal(b"").code == "empty"


@pytest.mark.parametrize(
    ("data", "code", "word"),
    [
        (b"\xff\xd8\xff\xe0rest", "unsupported-format", "JPEG changes ids; send PNG"),
        (b"GIF89a", "unsupported-format", "GIF"),
        (b"BM1234", "unsupported-format", "BMP"),
        (b"II*\0", "unsupported-format", "TIFF"),
        (b"RIFF1234WEBP", "unsupported-format", "WebP"),
        (b"PK\x03\x04", "unsupported-format", "ZIP"),
        (b"\x89PNG\n\x1a\n", "unsupported-format", "text mode"),
        (b"hello", "not-an-image", "send PNG"),
        (b"{}", "not-an-image", "send PNG"),
    ],
)
def test_what_is_not_a_png_is_refused_with_what_to_do(data, code, word):
    error = refusal(data)
    assert error.code == code
    assert word in error.detail


def test_a_file_cut_at_any_byte_is_refused():
    data = png(np.arange(64).reshape(8, 8))
    for length in range(8, len(data)):
        assert refusal(data[:length]).code == "truncated", length


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_pixel_data_that_lacks_rows_is_refused_rather_than_filled_with_class_0(rows):
    error = refusal(png(np.ones((rows, 8)), size=(8, 8)) if rows else png([[0]], size=(8, 8), pixel_data=b""))
    assert error.code == "truncated"


def test_pixel_data_longer_than_the_picture_is_refused():
    assert refusal(png(np.ones((9, 8)), size=(8, 8))).code == "corrupt"


def test_any_flipped_bit_of_the_pixel_data_is_refused():
    data = bytearray(png(np.arange(64).reshape(8, 8)))
    position = data.index(b"IDAT") + 10
    data[position] ^= 0x10
    error = refusal(bytes(data))
    assert error.code == "corrupt"
    assert "checksum" in error.detail


@pytest.mark.parametrize(
    ("width", "height"), [(8193, 1), (1, 8193), (8192, 8192), (2**31 - 1, 2**31 - 1), (2**32 - 1, 2**32 - 1)]
)
def test_a_decompression_bomb_is_refused_from_its_header(width, height):
    data = png([[0]], size=(height, width))
    error = refusal(data)
    assert error.code == "too-large"
    assert f"{width}x{height}" in error.detail


def test_pixel_data_that_unpacks_to_more_than_the_header_says_is_not_unpacked():
    data = png([[0]], size=(2, 2), pixel_data=bytes(10**8))
    assert refusal(data).code == "corrupt"


def test_a_file_of_too_many_bytes_is_refused():
    data = png([[0]])
    assert refusal(data, limits=LabelMapLimits(max_bytes=len(data) - 1)).code == "too-large"
    decode(data, limits=LabelMapLimits(max_bytes=len(data)))


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (struct.pack(">IIBBBBB", 0, 1, 8, 0, 0, 0, 0), "corrupt"),
        (struct.pack(">IIBBBBB", 1, 1, 3, 0, 0, 0, 0), "corrupt"),
        (struct.pack(">IIBBBBB", 1, 1, 16, 3, 0, 0, 0), "corrupt"),
        (struct.pack(">IIBBBBB", 1, 1, 8, 5, 0, 0, 0), "corrupt"),
        (struct.pack(">IIBBBBB", 1, 1, 8, 0, 1, 0, 0), "corrupt"),
        (struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 1, 0), "corrupt"),
        (struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 2), "corrupt"),
    ],
)
def test_a_header_that_cannot_be_is_refused(header, code):
    assert refusal(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND")).code == code


@pytest.mark.parametrize(
    "parts",
    [
        [chunk(b"IDAT", b"")],
        [chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), chunk(b"IEND")],
        [chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 3, 0, 0, 0)), chunk(b"IDAT", b"x"), chunk(b"IEND")],
        [chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), chunk(b"IDAT", b"not zlib"), chunk(b"IEND")],
        [chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), chunk(b"NEED", b""), chunk(b"IEND")],
        [chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), *[chunk(b"tEXt")] * 100_001],
    ],
    ids=["no header", "no pixels", "indexed without palette", "not zlib", "unknown critical chunk", "endless chunks"],
)
def test_a_file_with_broken_structure_is_refused(parts):
    assert refusal((b"\x89PNG\r\n\x1a\n" + b"".join(parts)).ljust(64, b"\0")).code == "corrupt"


def test_an_unknown_row_filter_is_refused():
    assert refusal(png([[0, 0]], pixel_data=b"\x09\0\0")).code == "corrupt"


def test_an_animated_png_is_refused():
    error = refusal(png([[0]], before_data=chunk(b"acTL", bytes(8))))
    assert error.code == "unsupported-format"
    assert "animated" in error.detail


@pytest.mark.parametrize("color_type", [RGB, GREY_ALPHA, RGB_ALPHA])
def test_16_bits_in_several_channels_are_refused_rather_than_halved(color_type):
    samples = np.zeros((1, 1, CHANNELS[color_type]))
    assert refusal(png(samples, depth=16, color_type=color_type), palette=PALETTE).code == "unsupported-format"


def test_rgb_without_a_palette_is_refused_with_the_advice_to_name_one():
    error = refusal(png([[[1, 2, 3]]], color_type=RGB))
    assert error.code == "palette-needed"
    assert "name the palette" in error.detail


def test_grey_ids_saved_as_rgb_are_refused_with_the_advice_to_save_as_grey():
    error = refusal(png([[[3, 3, 3], [5, 5, 5]]], color_type=RGB))
    assert error.code == "palette-needed"
    assert "save it as 8-bit grey" in error.detail


@pytest.mark.parametrize(("color_type", "color"), [(GREY_ALPHA, [1]), (RGB_ALPHA, [0x9C, 0xEE, 0xDD])])
def test_transparent_pixels_are_refused_with_their_count_and_box(color_type, color):
    samples = np.zeros((4, 5, len(color) + 1))
    samples[...] = [*color, 255]
    samples[1:3, 2:4, -1] = 254
    error = refusal(png(samples, color_type=color_type), palette=PALETTE)
    assert error.code == "transparent"
    assert "4 pixels in the box 2,1..4,3" in error.detail


def test_a_transparent_colour_of_an_indexed_map_is_refused_when_colours_are_read():
    extras = plte(0x7BC800, 0x9CEEDD) + chunk(b"tRNS", b"\xff\x00")
    data = png([[0, 1]], color_type=INDEXED, before_data=extras)
    assert refusal(data, palette=PALETTE).code == "transparent"


def test_an_index_beyond_the_files_own_palette_is_refused_when_colours_are_read():
    data = png([[0, 7]], color_type=INDEXED, before_data=plte(0x7BC800, 0x9CEEDD))
    assert refusal(data, palette=PALETTE).code == "corrupt"


def test_unknown_colours_are_listed_with_counts_and_boxes():
    samples = np.full((4, 6, 3), [0x9C, 0xEE, 0xDD])
    samples[1, 1:4] = [0x9C, 0xEE, 0xDE]
    samples[3, 5] = [0, 0, 0]
    error = refusal(png(samples, color_type=RGB), palette=PALETTE)
    assert error.code == "unknown-colors"
    assert "4 pixels have 2 colours" in error.detail
    assert [(o.value, o.count, o.box) for o in error.offenders] == [
        ("#9ceede", 3, (1, 1, 4, 2)),
        ("#000000", 1, (5, 3, 6, 4)),
    ]


def test_ids_out_of_range_are_listed_with_counts_and_boxes():
    ids = np.zeros((10, 20), dtype=np.uint8)
    ids[2:4, 5:9] = 40
    ids[9, 19] = 200
    ids[0, 0] = 255
    error = refusal(png(ids), label_nc=32, unknown_id=32)
    assert error.code == "ids-out-of-range"
    assert "0..31" in error.detail
    assert [(o.value, o.count, o.box) for o in error.offenders] == [(40, 8, (5, 2, 9, 4)), (200, 1, (19, 9, 20, 10))]


def test_255_and_the_next_id_are_out_of_range_for_a_model_without_unknown():
    error = refusal(png([[32, 255, 0]]), label_nc=32, unknown_id=None)
    assert {o.value for o in error.offenders} == {32, 255}


def test_at_most_32_offenders_are_listed_and_the_rest_is_counted():
    error = refusal(png(np.arange(400).reshape(20, 20), depth=16), label_nc=10)
    assert len(error.offenders) == 32
    assert "390 pixels have 390 ids (the 32 most frequent are listed)" in error.detail


def test_an_rgb_instance_map_is_refused():
    with pytest.raises(LabelMapError, match="instance map must be grey") as caught:
        decode_instance_map(png([[[1, 2, 3]]], color_type=RGB), file="instances.png")
    assert caught.value.code == "unsupported-format"


def test_limits_beyond_what_the_decoder_accepts_are_refused():
    with pytest.raises(ConfigError, match="max_pixels"):
        LabelMapLimits(max_pixels=2**30)


@pytest.mark.parametrize(
    ("data", "pixels"),
    [
        (png(np.zeros((3, 5))), 15),
        (png(np.full((3, 5, 4), 7), color_type=RGB_ALPHA)[:60], 15),
        (png(np.zeros((1, 1)), size=(60_000, 60_000)), 0),
        (b"GIF89a", 0),
        (b"", 0),
    ],
    ids=["good", "cut off", "too large", "another format", "empty"],
)
def test_the_pixels_that_a_file_would_unpack_are_told_from_its_header(data, pixels):
    assert pixels_to_unpack(data) == pixels
