"""What was measured of a model, as its card keeps it. Light: needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of `spade evaluate`."""

    name: str
    """For programs, as in miou_ratio."""
    title: str
    """For people."""
    value: float
    shown: str
    """The value for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The figures, and what they were measured on and by."""

    dataset: str
    """Its mode and the name of its folder, as in `custom camvid`."""
    split: str
    pictures: int
    width: int
    height: int
    seed: int | None
    """Of the first picture; None for a model whose pictures do not vary."""
    segmenter_sha256: str | None
    """Of the segmenter's file; None where there was none."""
    figures: tuple[Figure, ...]
