"""Which style a picture takes. Light: needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenStyle:
    """A style preset of the model, a blend of two (`weight` 0 is the first, 1 the second), or that of a picture.

    `picture` is the name under which the picture is handed over beside it.
    """

    first: str | None = None
    second: str | None = None
    weight: float = 0.0
    picture: str | None = None
