"""What a scene consists of, drawn from its seed before anything is painted."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from spade.data.scenes.light import Light, draw_light
from spade.data.scenes.variant import Variant
from spade.data.scenes.view import View


class Kind(StrEnum):
    """What the landscape is about."""

    COAST = "coast"
    LAKE = "lake"
    RIVER = "river"
    ROAD = "road"
    MEADOW = "meadow"
    DUNES = "dunes"
    PEAKS = "peaks"


KIND_CHANCES = {
    Kind.COAST: 0.22,
    Kind.LAKE: 0.16,
    Kind.RIVER: 0.16,
    Kind.ROAD: 0.16,
    Kind.MEADOW: 0.12,
    Kind.DUNES: 0.07,
    Kind.PEAKS: 0.11,
}


HILL_CHANCES = {Kind.COAST: 0.7, Kind.DUNES: 0.9, Kind.PEAKS: 0.5}
MOUNTAIN_CHANCES = {Kind.COAST: 0.3, Kind.DUNES: 0.35, Kind.PEAKS: 1.0, Kind.LAKE: 0.75}


class Cover(StrEnum):
    """What the ground is where nothing else is."""

    GRASS = "grass"
    SAND = "sand"
    SNOW = "snow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The middle line of a river or road: bends that look equally wide near and far. Metres."""

    start: float
    """x where the path leaves the picture at the bottom, for each metre of distance."""
    drift: float
    """x for each metre of distance, far away."""
    swing: float
    """How far bends reach to the side, for each metre of distance."""
    turns: float
    phase: float
    half_width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All choices that are made once for a scene. Lengths are in metres."""

    variant: Variant
    kind: Kind
    cover: Cover
    light: Light
    view: View
    undulation: float
    hills: float
    mountains: float
    opening: float
    """x / z of the direction in which hills and mountains leave room."""
    opening_depth: float
    """0 for no such room to 1 where nothing stands in it."""
    snow_line: float
    shore: float
    """Distance of the sea's or the lake's near shore; below 0 where the sea begins behind the camera."""
    far_shore: float
    path: Path
    paved: bool
    """Whether a road has asphalt and lines, or is of earth."""
    forest: float
    """How much of the far ground is forest, about 0 to 1."""
    trees: int
    conifers: float
    rocks: int
    clouds: float
    """How much of the sky they cover, about 0 to 1."""
    flowers: float
    dry: float
    """0 for lush grass to 1 for straw."""
    offsets: tuple[float, ...]
    """Where scenes look into the tiles of noise."""


@dataclass(frozen=True, slots=True)
class Dice:
    """Choices of one scene."""

    random: np.random.Generator

    def between(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def maybe(self, chance: float, low: float, high: float) -> float:
        """0, or by `chance` something from low to high; draws equally often whatever comes."""
        value = self.between(low, high)
        return value if self.happens(chance) else 0.0

    def happens(self, chance: float) -> bool:
        return bool(self.random.random() < chance)


def draw_plan(
    random: np.random.Generator, *, height: int, width: int, variant: Variant | None, kind: Kind | None = None
) -> Plan:
    """The plan of a scene; what is not given is drawn. Another variant of the same draw shows the same place."""
    drawn_variant = Variant(str(random.choice([str(one) for one in Variant])))
    drawn_kind = Kind(str(random.choice([str(one) for one in KIND_CHANCES], p=list(KIND_CHANCES.values()))))
    variant, kind = variant or drawn_variant, kind or drawn_kind
    if variant is Variant.WINTER and kind is Kind.DUNES:
        kind = Kind.MEADOW
    for_light, for_view, for_path, for_place = random.spawn(4)
    view = _draw_view(Dice(for_view), height, width)
    path = _draw_path(Dice(for_path), kind, view)
    return _draw_place(Dice(for_place), kind, variant, draw_light(variant, for_light), view, path)


def _draw_view(dice: Dice, height: int, width: int) -> View:
    low, high = dice.between(2.2, 7.0), dice.between(8.0, 26.0)
    return View(
        height=height,
        width=width,
        horizon=height * dice.between(0.34, 0.58),
        # By width and height alike, so that neither a wide nor a tall picture looks through a telescope.
        focal=math.sqrt(width * height) * dice.between(0.85, 1.1),
        eye=low if dice.happens(0.7) else high,
    )


def _draw_path(dice: Dice, kind: Kind, view: View) -> Path:
    river, road = dice.between(0.1, 0.24), dice.between(0.04, 0.14)
    broad, narrow = dice.between(2.2, 5.6) * view.eye**0.5, dice.between(2.4, 3.6)
    return Path(
        start=dice.between(-0.25, 0.25),
        drift=dice.between(-0.16, 0.16),
        swing=river if kind is Kind.RIVER else road,
        turns=dice.between(1.2, 2.3),
        phase=dice.between(0, 2 * math.pi),
        half_width=broad if kind is Kind.RIVER else narrow,
    )


def _draw_place(dice: Dice, kind: Kind, variant: Variant, light: Light, view: View, path: Path) -> Plan:
    sandy, winter = kind is Kind.DUNES, variant is Variant.WINTER
    flat = kind in (Kind.COAST, Kind.LAKE, Kind.RIVER)
    nearest_shore = dice.between(1.3, 3.0) if kind is Kind.COAST else dice.between(1.25, 2.0)
    all_sea = dice.happens(0.2) and kind is Kind.COAST
    return Plan(
        variant=variant,
        kind=kind,
        cover=Cover.SAND if sandy else Cover.SNOW if winter else Cover.GRASS,
        light=light,
        view=view,
        undulation=dice.between(0.4, 2.0) * dice.between(1.0, 1.0 if flat else 4.5),
        hills=dice.maybe(HILL_CHANCES.get(kind, 0.85), 50, 190),
        mountains=dice.maybe(MOUNTAIN_CHANCES.get(kind, 0.6), 800, 2000) * (1.2 if kind is Kind.PEAKS else 1.0),
        opening=dice.between(-0.35, 0.35),
        opening_depth=dice.maybe(0.8, 0.5, 1.0),
        snow_line=dice.between(500, 1300) - (900 if winter else 0),
        shore=-80.0 if all_sea else nearest_shore * view.nearest,
        far_shore=dice.between(180, 900),
        path=path,
        paved=dice.happens(0.6),
        forest=dice.maybe(0.8, 0.25, 0.8) * (not sandy),
        trees=int(dice.maybe(0.85, 6, 46) * (0.1 if sandy else 1)),
        conifers=float(np.clip(dice.between(-0.6, 1.6), 0, 1)),
        rocks=int(dice.maybe(0.6, 1, 12)),
        clouds=dice.maybe(0.85, 0.15, 0.75) * (variant is not Variant.FOG),
        flowers=dice.maybe(0.35, 0.3, 1.0),
        dry=dice.between(0, 1) ** 2,
        offsets=tuple(dice.random.uniform(0, 4096, 24).tolist()),
    )
