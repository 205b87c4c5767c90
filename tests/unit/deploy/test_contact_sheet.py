"""The contact sheet, by its pixels."""

import pytest
from PIL import Image

from deploy.local.contact_sheet import Tile, draw_contact_sheet

RED, BLUE = (255, 0, 0), (0, 0, 255)
MARK = (190, 42, 30)


def tile(*, untrained: bool = False) -> Tile:
    return Tile(
        label_map=Image.new("RGB", (16, 8), RED),
        picture=Image.new("RGB", (512, 512), BLUE),
        title="a.png",
        subtitle="model@1",
        untrained=untrained,
    )


def count(image: Image.Image, color: tuple[int, int, int]) -> int:
    return sum(number for number, found in image.getcolors(2**24) or [] if found == color)


@pytest.mark.parametrize("tiles", [1, 2, 5])
def test_every_label_map_and_every_picture_is_there_whole(tiles: int) -> None:
    sheet = draw_contact_sheet([tile()] * tiles, title="title", subtitle="subtitle")
    assert count(sheet, RED) == count(sheet, BLUE) == tiles * 256 * 256


def test_a_label_map_lies_left_of_its_picture() -> None:
    sheet = draw_contact_sheet([tile()], title="title", subtitle="subtitle")
    reds = [x for x in range(sheet.width) if sheet.getpixel((x, 200)) == RED]
    blues = [x for x in range(sheet.width) if sheet.getpixel((x, 200)) == BLUE]
    assert reds[-1] < blues[0]


def test_only_pictures_of_untrained_models_are_marked() -> None:
    trained = draw_contact_sheet([tile()], title="title", subtitle="subtitle")
    untrained = draw_contact_sheet([tile(untrained=True)], title="title", subtitle="subtitle")
    assert count(trained, MARK) == 0
    assert count(untrained, MARK) > 1000
