"""Time of day and weather. Light: imports nothing, so that a command can list them at once."""

from enum import StrEnum


class Variant(StrEnum):
    """Time of day and weather."""

    DAY = "day"
    SUNSET = "sunset"
    NIGHT = "night"
    WINTER = "winter"
    FOG = "fog"
