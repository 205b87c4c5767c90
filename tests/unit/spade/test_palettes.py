import numpy as np
import pytest

from spade.palettes import (
    GAUGAN_COLORS,
    Palette,
    PaletteError,
    colorize,
    format_color,
    gaugan_palette,
    parse_color,
)

CLASSES = {"sky": 0, "grass": 1, "unknown": 2}


def read(text, *, classes=CLASSES):
    return dict(Palette.from_csv(text.encode(), file="own.csv", class_ids_by_name=classes).colors)


def test_the_gaugan_table_has_32_different_colours_in_the_order_of_their_ids():
    ids = [color >> 16 for color in GAUGAN_COLORS.values()]
    assert len(set(GAUGAN_COLORS.values())) == 32
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(("name", "coco_stuff"), [("sky", 156), ("tree", 168), ("sea", 154), ("wood", 181)])
def test_the_red_byte_of_a_gaugan_colour_is_its_coco_stuff_id(name, coco_stuff):
    assert GAUGAN_COLORS[name] >> 16 == coco_stuff


def test_the_gaugan_palette_of_a_model_holds_the_classes_that_the_model_knows():
    palette = gaugan_palette(CLASSES)
    assert palette.name == "gaugan"
    assert dict(palette.colors) == {0x9CEEDD: 0, 0x7BC800: 1}


@pytest.mark.parametrize(
    "text",
    [
        "color,name\n#9ceedd,sky\n7BC800,grass\n",
        "\ufeffName, Color\r\nsky, #9CEEDD\r\n\r\ngrass, #7bc800\r\n",
        "id,color,name\n0,#9ceedd,whatever\n1,#7bc800,\n",
        "name,r,g,b\nsky,156,238,221\ngrass,123,200,0\n",
    ],
)
def test_a_palette_is_read_from_csv(text):
    assert read(text) == {0x9CEEDD: 0, 0x7BC800: 1}


def test_several_colours_may_mean_one_class_and_one_may_mean_unknown():
    assert read("color,name\n#000001,sky\n#000002,sky\n#000000,unknown\n") == {1: 0, 2: 0, 0: 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line must name a column color"),
        ("name\nsky\n", "first line must name a column color"),
        ("color\n#000000\n", "column id or name"),
        ("color,name\n", "no colours"),
        ("color,name\n#00000,sky\n", "line 2: '#00000' is not a colour"),
        ("color,name\n#000000\n", "line 2: class ''"),
        ("color,name\n#000000,lava\n", "known are sky, grass, unknown"),
        ("color,id\n#000000,3\n", r"class id '3' is not one of the model's, 0\.\.2"),
        ("color,id\n#000000,-1\n", "class id '-1'"),
        ("name,r,g,b\nsky,256,0,0\n", "r is '256'"),
        ("name,r,g,b\nsky,0,,0\n", "g is ''"),
        ("color,name\n#000000,sky\n#000000,grass\n", "line 3: colour #000000 already means class 0"),
        ('color,name\n"#000000,sky\n', "not CSV"),
    ],
)
def test_a_palette_that_cannot_be_used_is_refused_with_the_line(text, words):
    with pytest.raises(PaletteError, match=words) as caught:
        read(text)
    assert caught.value.file == "own.csv"
    assert str(caught.value).startswith("own.csv: ")


def test_a_palette_that_is_not_utf_8_is_refused():
    with pytest.raises(PaletteError, match="UTF-8"):
        Palette.from_csv(b"color,name\n\xff\xfe", file="own.csv", class_ids_by_name=CLASSES)


def test_an_endless_palette_is_refused():
    with pytest.raises(PaletteError, match="too many"):
        Palette.from_csv(bytes(300_000), file="own.csv", class_ids_by_name=CLASSES)
    rows = "\n".join(f"#{i:06x},sky" for i in range(4097))
    with pytest.raises(PaletteError, match="more than 4096"):
        read(f"color,name\n{rows}\n")


@pytest.mark.parametrize("text", ["#9ceedd", "9CEEDD", " #9CeEdD "])
def test_colours_are_written_with_or_without_hash(text):
    assert parse_color(text) == 0x9CEEDD


def test_a_colour_is_written_with_six_digits():
    assert format_color(0x0000FF) == "#0000ff"


def test_a_label_map_is_painted_in_the_colours_of_its_classes():
    painted = colorize(np.array([[0, 1], [2, 9]]), {0: 0x9CEEDD, 1: 0x7BC800, 50: 0xFFFFFF})
    assert painted.dtype == np.uint8
    assert painted.tolist() == [[[0x9C, 0xEE, 0xDD], [0x7B, 0xC8, 0x00]], [[0, 0, 0], [0, 0, 0]]]
