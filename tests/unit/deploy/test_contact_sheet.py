"""The contact sheet, by its pixels."""

import pytest
from PIL import Image

from deploy.local.contact_sheet import Captioned, Row, draw_contact_sheet

RED, BLUE = (255, 0, 0), (0, 0, 255)


def row(*, pictures: int = 1, height: int = 512) -> Row:
    label_map = Captioned(image=Image.new("RGB", (16, height // 32), RED), caption="a.png")
    picture = Captioned(image=Image.new("RGB", (512, height), BLUE), caption="model@1")
    return Row(label_map=label_map, pictures=(picture,) * pictures)


def count(image: Image.Image, color: tuple[int, int, int]) -> int:
    return sum(number for number, found in image.getcolors(2**24) or [] if found == color)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_every_label_map_and_every_picture_is_there_whole(rows: int) -> None:
    sheet = draw_contact_sheet([row(pictures=2)] * rows, title="title", subtitle="subtitle")
    assert count(sheet, RED) == rows * 256 * 256
    assert count(sheet, BLUE) == 2 * rows * 256 * 256


def test_a_label_map_lies_left_of_its_pictures() -> None:
    sheet = draw_contact_sheet([row()], title="title", subtitle="subtitle")
    reds = [x for x in range(sheet.width) if sheet.getpixel((x, 200)) == RED]
    blues = [x for x in range(sheet.width) if sheet.getpixel((x, 200)) == BLUE]
    assert reds[-1] < blues[0]


def test_pictures_keep_their_form_and_rows_may_differ() -> None:
    sheet = draw_contact_sheet([row(pictures=3), row(height=384)], title="title", subtitle="subtitle")
    assert count(sheet, BLUE) == 3 * 256 * 256 + 256 * 192
