"""Sizes of pictures as people write them: width first, as in 512x256."""

import re
from typing import Final

SIZE_PATTERN: Final = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})", re.ASCII)


def parse_size(text: str) -> tuple[int, int] | None:
    """`WIDTHxHEIGHT` in pixels, as (height, width); None for anything else."""
    match = SIZE_PATTERN.fullmatch(text)
    return None if match is None else (int(match[2]), int(match[1]))
