"""What a scene consists of, drawn from its seed before anything is painted."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from spade.data.scenes.light import Light, Variant, draw_light
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
    """Distance of the water: of the sea's or the lake's near shore."""
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


def draw_plan(
    random: np.random.Generator, *, height: int, width: int, variant: Variant | None, kind: Kind | None = None
) -> Plan:
    """The plan of a scene; what is not given is drawn. Another variant of the same draw shows the same place."""
    drawn_variant = Variant(str(random.choice([str(one) for one in Variant])))
    drawn_kind = Kind(str(random.choice([str(one) for one in KIND_CHANCES], p=list(KIND_CHANCES.values()))))
    for_light, for_place = random.spawn(2)
    variant, kind = variant or drawn_variant, kind or drawn_kind
    if variant is Variant.WINTER and kind is Kind.DUNES:
        kind = Kind.MEADOW
    plan = _draw_common(for_place, kind, variant, draw_light(variant, for_light), height=height, width=width)
    if variant is Variant.FOG:
        plan = replace(plan, clouds=0.0)
    return plan


def _uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(random.uniform(low, high))


def _draw_common(
    random: np.random.Generator, kind: Kind, variant: Variant, light: Light, *, height: int, width: int
) -> Plan:
    def between(low: float, high: float) -> float:
        return _uniform(random, low, high)

    def maybe(chance: float, low: float, high: float) -> float:
        value = between(low, high)
        return value if random.random() < chance else 0.0

    cover = Cover.SAND if kind is Kind.DUNES else Cover.SNOW if variant is Variant.WINTER else Cover.GRASS
    high_ground = kind is Kind.PEAKS
    water = kind in (Kind.COAST, Kind.LAKE)
    view = View(
        height=height,
        width=width,
        horizon=height * between(0.34, 0.58),
        focal=width * between(0.85, 1.1),
        eye=between(2.2, 7.0) if random.random() < 0.7 else between(8.0, 26.0),
    )
    nearest = view.focal * view.eye / (height - view.horizon)
    shore = nearest * (between(1.3, 3.0) if kind is Kind.COAST else between(1.25, 2.0))
    if kind is Kind.COAST and random.random() < 0.2:
        shore = -80.0  # nothing but the sea in front
    hill_chance = {Kind.COAST: 0.7, Kind.DUNES: 0.9, Kind.PEAKS: 0.5}.get(kind, 0.85)
    mountain_chance = {Kind.COAST: 0.3, Kind.DUNES: 0.35, Kind.PEAKS: 1.0, Kind.LAKE: 0.75}.get(kind, 0.6)
    path = Path(
        start=between(-0.25, 0.25),
        drift=between(-0.16, 0.16),
        swing=between(0.1, 0.24) if kind is Kind.RIVER else between(0.04, 0.14),
        turns=between(1.2, 2.3),
        phase=between(0, 2 * np.pi),
        half_width=between(3.5, 9.0) * view.eye**0.5 / 1.6 if kind is Kind.RIVER else between(2.4, 3.6),
    )
    return Plan(
        variant=variant,
        kind=kind,
        cover=cover,
        light=light,
        view=view,
        undulation=between(0.4, 2.0) * (1.0 if kind in (Kind.COAST, Kind.LAKE, Kind.RIVER) else between(1.0, 4.5)),
        hills=maybe(hill_chance, 50, 190),
        mountains=maybe(mountain_chance, 800, 2000) * (1.2 if high_ground else 1.0),
        opening=between(-0.35, 0.35),
        opening_depth=maybe(0.7, 0.4, 1.0) if not water else maybe(0.9, 0.6, 1.0),
        snow_line=between(500, 1300) - (900 if variant is Variant.WINTER else 0),
        shore=shore,
        far_shore=between(180, 900),
        path=path,
        paved=random.random() < 0.6,
        forest=maybe(0.8, 0.25, 0.8) * (cover is not Cover.SAND),
        trees=int(maybe(0.85, 6, 46) * (0.1 if cover is Cover.SAND else 1)),
        conifers=float(random.choice([0.0, 1.0, between(0.2, 0.8)])),
        rocks=int(maybe(0.6, 1, 12)),
        clouds=maybe(0.85, 0.15, 0.75),
        flowers=maybe(0.35, 0.3, 1.0),
        dry=between(0, 1) ** 2,
        offsets=tuple(float(value) for value in random.uniform(0, 4096, 24)),
    )
