"""Colours for classes that have none of their own. Light: numpy only."""

from collections.abc import Mapping

BITS_PER_CHANNEL = 7


def published_color(class_id: int) -> int:
    """0xRRGGBB as the published code paints label maps: PASCAL VOC's scheme for the id plus one.

    Bits 0, 1 and 2 of the number become the highest bits of red, green and blue; bits 3, 4 and 5 the next, and so on.
    """
    number, color = class_id + 1, 0
    for bit in range(BITS_PER_CHANNEL):
        for shift in (16, 8, 0):
            color |= (number & 1) << (shift + 7 - bit)
            number >>= 1
    return color


def published_colors(classes: int) -> Mapping[int, int]:
    """Colours 0xRRGGBB of the ids 0..classes-1."""
    return {class_id: published_color(class_id) for class_id in range(classes)}
