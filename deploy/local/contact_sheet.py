"""A sheet that shows label maps beside the pictures made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_SIDE = 256
_GAP = 8
_MARGIN = 32
_CAPTION = 44
_HEADER = 100

_PAPER = (250, 250, 247)
_INK = (28, 30, 34)
_FADED = (112, 116, 122)


@dataclass(frozen=True, slots=True, kw_only=True)
class Captioned:
    """An RGB image of any size and what it is."""

    image: Image.Image
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A label map in the colours of its classes, and its pictures."""

    label_map: Captioned
    pictures: tuple[Captioned, ...]


def draw_contact_sheet(rows: Sequence[Row], *, title: str, subtitle: str) -> Image.Image:
    """An RGB image: `rows` below a heading, every image 256 pixels wide."""
    columns = 1 + max(len(row.pictures) for row in rows)
    heights = [max(_height(one.image) for one in (row.label_map, *row.pictures)) + _CAPTION for row in rows]
    width = 2 * _MARGIN + columns * (_SIDE + _GAP) - _GAP
    sheet = Image.new("RGB", (width, _HEADER + sum(heights) + _MARGIN // 2), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 24), title, font=_font(30), fill=_INK)
    draw.text((_MARGIN, 62), subtitle, font=_font(15), fill=_FADED)
    top = _HEADER
    for row, height in zip(rows, heights, strict=True):
        _place(sheet, row.label_map, left=_MARGIN, top=top, resampling=Image.Resampling.NEAREST)
        for column, picture in enumerate(row.pictures, start=1):
            left = _MARGIN + column * (_SIDE + _GAP)
            _place(sheet, picture, left=left, top=top, resampling=Image.Resampling.LANCZOS)
        top += height
    return sheet


def _place(sheet: Image.Image, one: Captioned, *, left: int, top: int, resampling: Image.Resampling) -> None:
    height = _height(one.image)
    sheet.paste(one.image.convert("RGB").resize((_SIDE, height), resampling), (left, top))
    ImageDraw.Draw(sheet).text((left, top + height + 6), one.caption, font=_font(15), fill=_FADED)


def _height(image: Image.Image) -> int:
    return round(_SIDE * image.height / image.width)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
