"""A sheet that shows label maps beside the pictures made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_SIDE = 256
_GAP = 8
_MARGIN = 32
_COLUMNS = 2
_CAPTION = 52
_HEADER = 100
_FOOTER = 56

_PAPER = (250, 250, 247)
_INK = (28, 30, 34)
_FADED = (112, 116, 122)
_WARNING = (190, 42, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A label map in the colours of its classes and its picture, both RGB of any size."""

    label_map: Image.Image
    picture: Image.Image
    title: str
    subtitle: str
    untrained: bool


def draw_contact_sheet(tiles: Sequence[Tile], *, title: str, subtitle: str) -> Image.Image:
    """An RGB image: `tiles` in two columns below a heading. Pictures of untrained models are marked as such."""
    pair = 2 * _SIDE + _GAP
    rows = -(-len(tiles) // _COLUMNS)
    width = 2 * _MARGIN + _COLUMNS * pair + (_COLUMNS - 1) * _MARGIN
    height = _HEADER + rows * (_SIDE + _CAPTION) + _FOOTER
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 24), title, font=_font(30), fill=_INK)
    draw.text((_MARGIN, 62), subtitle, font=_font(15), fill=_FADED)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, _COLUMNS)
        _draw_tile(sheet, tile, left=_MARGIN + column * (pair + _MARGIN), top=_HEADER + row * (_SIDE + _CAPTION))
    if any(tile.untrained for tile in tiles):
        note = "UNTRAINED: these weights are random and have seen no photograph. The pictures show that the "
        note += "service works, not what SPADE can do."
        draw.text((_MARGIN, height - _FOOTER + 14), note, font=_font(15), fill=_WARNING)
    return sheet


def _draw_tile(sheet: Image.Image, tile: Tile, *, left: int, top: int) -> None:
    side = (_SIDE, _SIDE)
    right = left + _SIDE + _GAP
    sheet.paste(tile.label_map.convert("RGB").resize(side, Image.Resampling.NEAREST), (left, top))
    sheet.paste(tile.picture.convert("RGB").resize(side, Image.Resampling.LANCZOS), (right, top))
    draw = ImageDraw.Draw(sheet)
    draw.text((left, top + _SIDE + 6), tile.title, font=_font(16), fill=_INK)
    draw.text((right, top + _SIDE + 6), tile.subtitle, font=_font(15), fill=_FADED)
    if tile.untrained:
        font = _font(14)
        text_width = draw.textlength("UNTRAINED", font=font)
        box = (right + 8, top + 8, right + 8 + text_width + 16, top + 31)
        draw.rounded_rectangle(box, radius=5, fill=_WARNING)
        draw.text((right + 16, top + 19), "UNTRAINED", font=font, fill=_PAPER, anchor="lm")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
