"""Label maps and instance maps that are read, and maps written back."""

import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, PngImagePlugin

from spade.label_images import (
    class_histogram,
    decode_instance_map,
    encode_ids_png,
    resize_nearest,
)
from support.label_maps import (
    GREY,
    GREY_ALPHA,
    INDEXED,
    PALETTE,
    RGB,
    RGB_ALPHA,
    chunk,
    decode,
    plte,
    png,
)


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


def test_an_instance_map_is_read_as_int32():
    ids = np.array([[0, 1], [65535, 258]])
    decoded = decode_instance_map(png(ids, depth=16), file="instances.png")
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, ids)


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
