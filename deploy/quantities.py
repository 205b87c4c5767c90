"""Sizes, times and rates as options of commands take them."""

import re
from typing import Final

import click

from workers.errors import KeySettingsError
from workers.limits import Rate

_SIZE: Final = re.compile(r"([1-9]\d{0,8})(B|KiB|MiB|GiB|TiB)", re.ASCII)
_SIZE_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_TIME: Final = re.compile(r"([1-9]\d{0,5})(s|min|h|d)", re.ASCII)
_TIME_UNITS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def read_rate(text: str) -> Rate:
    """`100/min`. Raises a usage error."""
    try:
        return Rate.parse(text)
    except KeySettingsError as error:
        raise click.BadParameter(str(error)) from error


def read_size(text: str) -> int:
    """`10GiB`, as bytes. Raises a usage error."""
    if (match := _SIZE.fullmatch(text)) is None:
        raise click.BadParameter(f"{text!r} is no size; it must be like 500MiB or 10GiB")
    return int(match[1]) << 10 * _SIZE_UNITS.index(match[2])


def read_time(text: str) -> float:
    """`24h`, as seconds. Raises a usage error."""
    if (match := _TIME.fullmatch(text)) is None:
        raise click.BadParameter(f"{text!r} is no time; it must be like 90s, 30min, 24h or 7d")
    return int(match[1]) * _TIME_UNITS[match[2]]


def write_size(size: int) -> str:
    """As `read_size` reads it, in the largest unit that needs no fraction."""
    power = max(power for power in range(len(_SIZE_UNITS)) if size % 1024**power == 0)
    return f"{size >> 10 * power}{_SIZE_UNITS[power]}"
