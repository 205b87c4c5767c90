"""Every trap of label maps as files. PNGs are written bit by bit here, so that no image library can hide a mistake."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, PngImagePlugin

from spade.errors import ConfigError
from spade.label_images import (
    LabelMapError,
    LabelMapLimits,
    class_histogram,
    decode_instance_map,
    decode_label_map,
    encode_ids_png,
    resize_nearest,
)
from spade.palettes import Palette

GREY, RGB, INDEXED, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, INDEXED: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
PALETTE = Palette(name="two", colors={0x9CEEDD: 0, 0x7BC800: 1})


def chunk(kind, payload=b""):
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
    return chunk(b"PLTE", b"".join(color.to_bytes(3, "big") for color in colors))


def decode(data, *, label_nc=256, unknown_id=None, palette=None, limits=None):
    return decode_label_map(
        data, file="map.png", label_nc=label_nc, unknown_id=unknown_id, palette=palette, limits=limits
    )


def refusal(data, **options):
    with pytest.raises(LabelMapError) as caught:
        decode(data, **options)
    assert str(caught.value) == f"map.png: {caught.value.detail}"
    return caught.value


# What is accepted


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("color_type", [GREY, INDEXED])
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_stored_values_are_the_ids_at_every_bit_depth(depth, color_type, interlaced):
    ids = np.arange(11 * 13).reshape(11, 13) % 2**depth
    colors = plte(*(0x10101 * (255 - i) for i in range(2**depth))) if color_type == INDEXED else b""
    data = png(ids, depth=depth, color_type=color_type, interlaced=interlaced, before_data=colors)
    decoded = decode(data)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, ids)


@pytest.mark.parametrize("interlaced", [False, True])
def test_16_bit_grey_keeps_both_bytes(interlaced):
    ids = np.array([[0, 1, 255], [256, 299, 12]])
    data = png(ids, depth=16, interlaced=interlaced)
    np.testing.assert_array_equal(decode(data, label_nc=300), ids)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 2), (8, 8)])
def test_interlaced_maps_of_awkward_sizes_are_read(size):
    ids = np.arange(size[0] * size[1]).reshape(size)
    np.testing.assert_array_equal(decode(png(ids, interlaced=True)), ids)


def test_transparency_of_an_indexed_map_does_not_change_its_ids():
    ids = np.array([[0, 1], [2, 1]])
    extras = plte(0, 0xFFFFFF, 0xFF0000) + chunk(b"tRNS", b"\x00\x80")
    np.testing.assert_array_equal(decode(png(ids, color_type=INDEXED, before_data=extras)), ids)


@pytest.mark.parametrize("depth", [1, 8, 16])
def test_a_transparent_grey_value_does_not_change_the_ids(depth):
    ids = np.array([[0, 1], [1, 0]])
    data = png(ids, depth=depth, before_data=chunk(b"tRNS", b"\x00\x01"))
    np.testing.assert_array_equal(decode(data), ids)


def test_an_index_beyond_the_files_own_palette_is_still_an_id():
    ids = np.array([[0, 7]])
    np.testing.assert_array_equal(decode(png(ids, color_type=INDEXED, before_data=plte(0, 1))), ids)


def test_opaque_grey_with_alpha_is_read():
    samples = np.array([[[3, 255], [7, 255]]])
    np.testing.assert_array_equal(decode(png(samples, color_type=GREY_ALPHA)), [[3, 7]])


def test_text_that_unpacks_to_a_hundred_megabytes_is_skipped_unread():
    text = chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(10**8)))
    np.testing.assert_array_equal(decode(png([[1, 2]], before_data=text)), [[1, 2]])


@pytest.mark.parametrize("value", [32, 255])
def test_the_unknown_id_and_255_both_become_unknown(value):
    np.testing.assert_array_equal(decode(png([[0, value, 31]]), label_nc=32, unknown_id=32), [[0, 32, 31]])


def test_255_is_a_class_where_the_model_has_that_many():
    data = png([[255, 300]], depth=16)
    np.testing.assert_array_equal(decode(data, label_nc=300, unknown_id=300), [[255, 300]])


def test_rgb_in_the_palettes_exact_colours_is_read():
    samples = [[[0x9C, 0xEE, 0xDD], [0x7B, 0xC8, 0x00]]]
    np.testing.assert_array_equal(decode(png(samples, color_type=RGB), palette=PALETTE), [[0, 1]])


def test_opaque_rgb_with_alpha_is_read():
    samples = [[[0x9C, 0xEE, 0xDD, 255], [0x7B, 0xC8, 0x00, 255]]]
    np.testing.assert_array_equal(decode(png(samples, color_type=RGB_ALPHA), palette=PALETTE), [[0, 1]])


def test_an_indexed_map_is_read_by_its_colours_when_a_palette_is_named():
    data = png([[0, 1], [1, 1]], depth=1, color_type=INDEXED, before_data=plte(0x7BC800, 0x9CEEDD))
    np.testing.assert_array_equal(decode(data, palette=PALETTE), [[1, 0], [0, 0]])


def test_a_grey_map_holds_ids_even_when_a_palette_is_named():
    np.testing.assert_array_equal(decode(png([[5]]), palette=PALETTE), [[5]])


@pytest.mark.parametrize("mode", ["L", "P", "1", "I;16"])
def test_maps_written_by_pillow_are_read(mode):
    ids = np.array([[0, 1, 1], [1, 0, 0]], dtype=np.uint16 if mode == "I;16" else np.uint8)
    image = Image.fromarray(ids)
    if mode == "1":
        image = Image.fromarray(ids.astype(bool))
    if mode == "P":
        image.putpalette([255, 0, 0, 0, 255, 0])
    buffer = io.BytesIO()
    extras = PngImagePlugin.PngInfo()
    extras.add_text("Software", "test")
    image.save(buffer, format="PNG", pnginfo=extras)
    np.testing.assert_array_equal(decode(buffer.getvalue()), ids)


# What is refused


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


# Instance maps


def test_an_instance_map_is_read_as_int32():
    ids = np.array([[0, 1], [65535, 258]])
    decoded = decode_instance_map(png(ids, depth=16), file="instances.png")
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, ids)


def test_an_rgb_instance_map_is_refused():
    with pytest.raises(LabelMapError, match="instance map must be grey") as caught:
        decode_instance_map(png([[[1, 2, 3]]], color_type=RGB), file="instances.png")
    assert caught.value.code == "unsupported-format"


# Back to files, sizes, histogram


@pytest.mark.parametrize(("most", "depth"), [(0, 8), (255, 8), (256, 16), (65535, 16)])
def test_ids_are_written_as_8_bit_grey_if_they_fit_and_as_16_bit_otherwise(most, depth):
    ids = np.array([[0, most]], dtype=np.int32)
    data = encode_ids_png(ids)
    assert data[24] == depth
    np.testing.assert_array_equal(decode(data, label_nc=65536), ids)


@pytest.mark.parametrize("ids", [[[-1]], [[65536]], [[]]])
def test_ids_that_no_png_can_hold_are_refused(ids):
    with pytest.raises(ValueError, match=r"0\.\.65535"):
        encode_ids_png(np.array(ids, dtype=np.int64))


@given(hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_what_is_encoded_is_decoded_alike(ids):
    np.testing.assert_array_equal(decode(encode_ids_png(ids), label_nc=65536), ids)


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_nearest_resizing_picks_the_pixels_that_pillow_picks(ids, height, width):
    # A centre on the border of two pixels is a matter of rounding, and Pillow takes floats: such sizes are left out.
    borders = [(2 * i + 1) * n % (2 * m) for n, m in zip(ids.shape, (height, width), strict=True) for i in range(m)]
    resized = resize_nearest(ids, height, width)
    assert resized.shape == (height, width)
    if 0 not in borders:
        pillow = Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(resized, np.asarray(pillow))


def test_the_histogram_counts_the_pixels_of_each_id():
    assert class_histogram(np.array([[3, 0], [3, 3]])) == {0: 1, 3: 3}


def test_limits_beyond_what_the_decoder_accepts_are_refused():
    with pytest.raises(ConfigError, match="max_pixels"):
        LabelMapLimits(max_pixels=2**30)
