"""The class histogram of a dataset as a picture."""

import math
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from spade.files import written_whole

ROW = 18
MARGIN = 16
NAME_WIDTH = 190
BAR_WIDTH = 460
TEXT_WIDTH = 190
INK = (32, 36, 44)
PALE = (232, 235, 240)
BAR = (66, 122, 196)
LOWEST_SHARE = 1e-5
"""Bars are as long as the logarithm of a class's share, from this share on: rare classes must be seen."""


def save_histogram(
    path: Path, pixels: Mapping[int, int], pictures: Mapping[int, int], names: Mapping[int, str], *, title: str
) -> None:
    """Writes a PNG with one bar for each id: its share of all pixels, and in how many pictures it occurs."""
    total = max(1, sum(pixels.values()))
    width = 2 * MARGIN + NAME_WIDTH + BAR_WIDTH + TEXT_WIDTH
    image = Image.new("RGB", (width, 2 * MARGIN + ROW * (len(pixels) + 3)), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(12)
    draw.text((MARGIN, MARGIN), title, fill=INK, font=ImageFont.load_default(14))
    left, top = MARGIN + NAME_WIDTH, MARGIN + 2 * ROW
    for exponent in range(round(math.log10(LOWEST_SHARE)), 1):
        x = left + BAR_WIDTH * _length(10.0**exponent)
        draw.line((x, top, x, top + ROW * len(pixels)), fill=PALE)
        draw.text((x, top + ROW * len(pixels) + 2), f"{100 * 10.0**exponent:g} %", fill=INK, font=font, anchor="ma")
    for number, (label, count) in enumerate(sorted(pixels.items())):
        y = top + number * ROW
        share = count / total
        draw.text((left - 8, y + ROW / 2), f"{names.get(label, '')} {label}", fill=INK, font=font, anchor="rm")
        draw.rectangle((left, y + 3, left + max(1.0, BAR_WIDTH * _length(share)), y + ROW - 3), fill=BAR)
        text = f"{100 * share:.3g} %, in {pictures.get(label, 0)}"
        draw.text((left + BAR_WIDTH + 8, y + ROW / 2), text, fill=INK, font=font, anchor="lm")
    with written_whole(path) as partial:
        image.save(partial, format="PNG")


def _length(share: float) -> float:
    """0 to 1."""
    return max(0.0, 1 - math.log10(max(share, LOWEST_SHARE)) / math.log10(LOWEST_SHARE))
