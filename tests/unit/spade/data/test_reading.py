"""Files of ids and pictures, with errors that name the file, the ids and what would be right."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from spade.data.config import Ade20kIds
from spade.data.errors import DatasetError
from spade.data.presets import ade20k, coco, custom
from spade.data.reading import LabelReader, read_instance_map, read_picture
from spade.palettes import PaletteError

IDS = np.array([[0, 1, 2], [2, 1, 0]])


def reader(preset=custom, **changes):
    return LabelReader.of(replace(preset("root").dataset, **changes))


def encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def test_labels_are_the_stored_ids(tree):
    labels = reader().read(tree.ids("a.png", IDS))
    assert labels.dtype == np.int64
    assert np.array_equal(labels, IDS)


def test_16_bit_labels_keep_their_ids(tree):
    ids = np.array([[300, 0], [70, 999]])
    assert np.array_equal(reader(label_nc=1000).read(tree.ids("a.png", ids)), ids)


@pytest.mark.parametrize("format", ["BMP", "TIFF", "PPM"])
def test_other_lossless_formats_are_read(tree, format):
    path = tree.data("a." + format.lower(), encoded(Image.fromarray(IDS.astype(np.uint8)), format))
    assert np.array_equal(reader().read(path), IDS)


def test_jpeg_labels_are_refused(tree):
    path = tree.data("a.jpg", encoded(Image.fromarray(IDS.astype(np.uint8)), "JPEG"))
    with pytest.raises(DatasetError, match=r"a\.jpg: JPEG changes ids; send PNG"):
        reader().read(path)


def test_255_is_unknown_in_coco(tree):
    assert reader(coco).read(tree.ids("a.png", [[0, 181, 255]])).tolist() == [[0, 181, 182]]


def test_the_id_after_the_classes_is_unknown(tree):
    assert reader(label_nc=11, dont_care=True).read(tree.ids("a.png", [[10, 11]])).tolist() == [[10, 11]]


def test_ids_that_are_not_classes_are_listed_with_their_counts(tree):
    path = tree.ids("a.png", [[0, 13, 13], [200, 12, 13]])
    with pytest.raises(
        DatasetError, match=r"ids that are not of this dataset: 13 \(3 pixels\), 200 \(1 pixels\)"
    ) as one:
        reader().read(path)
    assert str(path) in str(one.value)
    assert "known are 0..12." in str(one.value)


def test_unknown_needs_dont_care(tree):
    with pytest.raises(DatasetError, match=r"255 \(1 pixels\)"):
        reader().read(tree.ids("a.png", [[0, 255]]))


def test_a_long_list_of_wrong_ids_is_cut(tree):
    with pytest.raises(DatasetError, match=r"and 8 more; known are 0\.\.12, and 13 or 255 for unknown"):
        reader(dont_care=True).read(tree.ids("a.png", [list(range(20, 40))]))


def test_ade20k_is_read_raw(tree):
    assert reader(ade20k).read(tree.ids("a.png", [[0, 1, 150]])).tolist() == [[0, 1, 150]]


def test_ade20k_can_be_shifted(tree):
    shifted = reader(ade20k, ade20k_ids=Ade20kIds.SHIFTED)
    assert shifted.read(tree.ids("a.png", [[0, 1, 150, 255]])).tolist() == [[150, 0, 149, 150]]
    with pytest.raises(DatasetError, match=r"152 \(1 pixels\); known are 0..150"):
        shifted.read(tree.ids("b.png", [[152]]))


def colored(tree, name="a.png", last=(0, 0, 255)):
    pixels = np.array([[(255, 0, 0), (0, 255, 0), last]], dtype=np.uint8)
    return tree.picture(name, pixels)


def test_colours_are_read_with_a_palette_of_ids(tree):
    palette = tree.data("palette.csv", b"id,r,g,b\n0,255,0,0\n4,0,255,0\n13,0,0,255\n")
    read = reader(dont_care=True, palette=str(palette)).read(colored(tree))
    assert read.tolist() == [[0, 4, 13]]


def test_colours_are_read_with_a_palette_of_names(tree):
    palette = tree.data("palette.csv", b"name,color\nroof,#ff0000\nwall,#00ff00\nunknown,#0000ff\n")
    classes = {"label_nc": 2, "class_names": ("wall", "roof"), "dont_care": True}
    assert reader(palette=str(palette), **classes).read(colored(tree)).tolist() == [[1, 0, 2]]


def test_an_indexed_file_is_read_by_its_colours_where_there_is_a_palette(tree):
    palette = tree.data("palette.csv", b"id,color\n5,#ff0000\n6,#00ff00\n7,#0000ff\n")
    image = Image.fromarray(np.array([[2, 1, 0]], dtype=np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    path = tree.data("a.png", encoded(image, "PNG"))
    assert reader(palette=str(palette)).read(path).tolist() == [[7, 6, 5]]
    assert reader().read(path).tolist() == [[2, 1, 0]]


def test_colours_that_the_palette_lacks_are_listed(tree):
    palette = tree.data("palette.csv", b"id,color\n5,#ff0000\n6,#00ff00\n")
    with pytest.raises(DatasetError, match=r"not in the palette .*palette\.csv: #010203 \(1 pixels\)"):
        reader(palette=str(palette)).read(colored(tree, last=(1, 2, 3)))


def test_colours_without_a_palette_are_explained(tree):
    with pytest.raises(
        DatasetError, match=r"a\.png: the file is RGB; .* --palette, or read it as the picture that it is"
    ):
        reader().read(colored(tree))


def test_a_missing_palette_is_named():
    with pytest.raises(DatasetError, match=r"nowhere\.csv: the palette cannot be read: No such file"):
        reader(palette="nowhere.csv")


def test_a_wrong_palette_is_explained(tree):
    palette = tree.data("palette.csv", b"id,color\n99,#ff0000\n")
    with pytest.raises(PaletteError, match=r"line 2: class id '99' is not one of the model's, 0\.\.12"):
        reader(palette=str(palette))


def test_a_damaged_label_map_is_named(tree):
    path = tree.ids("a.png", IDS)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=r"a\.png: the file ends after"):
        reader().read(path)


def test_a_damaged_tiff_is_named(tree):
    path = tree.data("a.tiff", encoded(Image.fromarray(IDS.astype(np.uint8)), "TIFF")[:30])
    with pytest.raises(DatasetError, match=r"a\.tiff: the (file is no picture|picture cannot be read)"):
        reader().read(path)


def test_a_missing_file_is_named(tree):
    with pytest.raises(DatasetError, match=r"gone\.png: No such file"):
        reader().read(tree.root / "gone.png")


def test_instance_maps_are_the_stored_numbers(tree):
    instances = read_instance_map(tree.ids("a.png", [[0, 24_001]]))
    assert (instances.dtype, instances.tolist()) == (np.int64, [[0, 24_001]])


def test_a_coloured_instance_map_is_refused(tree):
    with pytest.raises(DatasetError, match="an instance map must be grey"):
        read_instance_map(colored(tree))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "I;16"])
def test_pictures_of_every_kind_become_rgb(tree, mode):
    grey = (
        Image.fromarray(np.full((2, 3), 255, np.uint16))
        if mode == "I;16"
        else Image.new("L", (3, 2), 255).convert(mode)
    )
    picture = read_picture(tree.data("a.png", encoded(grey, "PNG")))
    assert (picture.mode, picture.size) == ("RGB", (3, 2))


def test_a_cut_picture_is_named(tree):
    path = tree.picture("a.jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3)))
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DatasetError, match=r"a\.jpg: the picture cannot be read: image file is truncated"):
        read_picture(path)


def test_what_is_no_picture_is_named(tree):
    with pytest.raises(DatasetError, match=r"a\.jpg: the file is no picture that can be read"):
        read_picture(tree.data("a.jpg", b"hello"))


def test_a_missing_picture_is_named(tree):
    with pytest.raises(DatasetError, match=r"gone\.jpg: the picture cannot be read: No such file"):
        read_picture(tree.root / "gone.jpg")
