"""The ground as heights over a plan, and what of it each pixel sees.

Heights are taken at slices across the view, one after the other away from the camera, in the directions of the
picture's columns. A pixel sees the first slice that reaches up to its line of sight. D slices, H W pixels.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from spade.data.scenes import noise
from spade.data.scenes.noise import Floats
from spade.data.scenes.plan import Kind, Path, Plan
from spade.data.scenes.view import View

NEAR, MIDDLE, FAR, END = 240.0, 3_400.0, 11_500.0, 300_000.0
"""Distances between which plain ground, hills and mountains stand; the last stands for the horizon."""

WATER_LEVEL = 0.0
CROWN_HEIGHT = 11.0
FOREST_START = 320.0
"""Metres; nearer, the crowns' surface would be seen as walls. What stands there is a tree of its own."""


class Zone(IntEnum):
    """What stands at a place, before its surface is looked at closely."""

    PLAIN = 0
    HILL = 1
    MOUNTAIN = 2
    FOREST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Heights in metres at slices (D,) across columns (D, W)."""

    distances: Floats
    across: Floats
    """x (D, W)."""
    bed: Floats
    """Of the solid ground, also under water, without trees (D, W)."""
    surface: Floats
    """Of what is seen: water or ground, with the crowns of forests (D, W)."""
    zones: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What pixels see from row `top` down (H - top, W); above it there is sky only."""

    top: int
    hit: NDArray[np.bool_]
    """Where there is ground or water, not sky."""
    nearer: NDArray[np.int64]
    """Flat index, into (D, W), of the slice before the hit."""
    share: Floats
    """How far the hit lies towards the next slice, 0 to 1."""
    distance: Floats
    across: Floats
    elevation: Floats

    def between_slices(self, values: Floats) -> Floats:
        """Values of the slices (D, W), as seen by the pixels."""
        flat = values.reshape(-1)
        width = values.shape[1]
        first = flat.take(self.nearer)
        first += self.share * (flat.take(self.nearer + width) - first)
        return first

    def at_slices(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Kinds at the slices (D, W): of the slice nearer to each pixel's hit."""
        width = values.shape[1]
        kinds: NDArray[np.uint8] = values.reshape(-1).take(self.nearer + width * (self.share > 0.5))
        return kinds


def path_middle(path: Path, distance: Floats) -> Floats:
    """x of a path's middle at `distance`."""
    bends = np.sin(np.log(distance) * np.float32(path.turns) + np.float32(path.phase))
    reach = np.float32(path.swing) * bends + np.float32(path.drift)
    middle: Floats = np.float32(path.start * 12) + reach * np.minimum(distance, 2_000)
    return middle


def build_ground(plan: Plan) -> Ground:
    """Heights and zones of the ground, slice by slice into the distance: plain, hills, mountains, forest."""
    distances = _slice_distances(plan)
    slopes = plan.view.slopes_across()
    across = distances[:, None] * slopes
    bed = _plain(plan, distances, across)
    zones = np.zeros(bed.shape, dtype=np.uint8)
    room = _room(plan, slopes)
    if plan.hills:
        rows = slice(*np.searchsorted(distances, [NEAR, END - 1]))
        hills = _hills(plan, distances[rows, None], across[rows]) * room
        bed[rows] += hills
        zones[rows][hills > 5] = Zone.HILL
    if plan.mountains:
        rows = slice(*np.searchsorted(distances, [MIDDLE, END - 1]))
        mountains = _mountains(plan, distances[rows, None], across[rows]) * (0.35 + 0.65 * room)
        bed[rows] += mountains
        zones[rows][mountains > 30] = Zone.MOUNTAIN
    surface = np.maximum(bed, np.float32(WATER_LEVEL)) if has_water(plan) else bed.copy()
    if plan.forest:
        _grow_forest(plan, distances, across, bed, surface, zones)
    return Ground(distances=distances, across=across, bed=bed, surface=surface, zones=zones)


def has_water(plan: Plan) -> bool:
    """Whether there is a sea, a lake or a river."""
    return plan.kind in (Kind.COAST, Kind.LAKE, Kind.RIVER)


def see(view: View, ground: Ground) -> Sight:
    """Which point of the ground each pixel sees."""
    count, width = ground.surface.shape
    rows = (
        np.float32(view.horizon)
        + np.float32(view.focal) * (np.float32(view.eye) - ground.surface) / (ground.distances[:, None])
    )
    highest = np.minimum.accumulate(rows, axis=0)
    first_row = np.clip(np.ceil(highest - np.float32(0.5)), 0, view.height).astype(np.int64)
    top = int(first_row[-1].min())
    # How many slices reach up to each row: counted by the row that they reach, then added up from the top.
    flat = (first_row - top) * width + np.arange(width)
    reached = np.bincount(flat.reshape(-1), minlength=(view.height - top + 1) * width).reshape(-1, width)
    before = count - np.cumsum(reached, axis=0)[: view.height - top]  # slices that stay below the row
    hit = before < count
    index = np.clip(before, 1, count - 1)
    nearer = (index - 1) * width + np.arange(width)
    fall = view.slopes_down(top)[:, None]
    near_z, far_z = ground.distances[index - 1], ground.distances[index]
    near_gap = np.float32(view.eye) - fall * near_z - ground.surface.reshape(-1).take(nearer)
    far_gap = np.float32(view.eye) - fall * far_z - ground.surface.reshape(-1).take(nearer + width)
    drop = near_gap - far_gap
    share = np.clip(near_gap / np.where(drop > 1e-6, drop, np.float32(1)), 0, 1)
    distance = near_z + share * (far_z - near_z)
    return Sight(
        top=top,
        hit=hit,
        nearer=nearer,
        share=share,
        distance=distance,
        across=view.slopes_across() * distance,
        elevation=np.float32(view.eye) - fall * distance,
    )


def _slice_distances(plan: Plan) -> Floats:
    parts = [np.geomspace(0.5 * plan.view.nearest, NEAR, 72)]
    far = MIDDLE if plan.hills or plan.forest else NEAR
    if far > NEAR:
        parts.append(np.geomspace(NEAR, MIDDLE, 76)[1:])
    if plan.mountains:
        parts.append(np.linspace(far, FAR, 92)[1:])
    parts.append(np.array([END]))
    return np.concatenate(parts).astype(np.float32)


def _ramp(values: Floats, low: float, high: float) -> Floats:
    """0 below low, 1 above high, smooth between."""
    position: Floats = np.clip((values - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return position * position * (3 - 2 * position)


def _room(plan: Plan, slopes: Floats) -> Floats:
    """What remains of hills and mountains in each column (W,), where a valley opens the view."""
    aside = (slopes - np.float32(plan.opening)) / np.float32(0.24)
    return 1 - np.float32(plan.opening_depth) * np.exp(-aside * aside)


def _plain(plan: Plan, distances: Floats, across: Floats) -> Floats:
    z = distances[:, None]
    dx, dz = plan.offsets[0:2]
    rolling = noise.fractal().at(across * 1.1 + dx, z * 1.1 + dz)
    amplitude = np.minimum(plan.undulation, 0.035 * np.maximum(z - 6, 0))
    amplitude = amplitude * (1 - _ramp(z, 2_500, 20_000))
    plain = amplitude * rolling
    if plan.kind is Kind.COAST:
        shore = plan.shore * (1 + 0.3 * noise.fractal().at(across * 0.8 + dz, 0 * across + dx))
        plain = np.clip((shore - z) * np.float32(0.055), -9, 4) + 0.3 * plain
    elif plan.kind is Kind.LAKE:
        middle, half = (plan.far_shore + plan.shore) / 2, (plan.far_shore - plan.shore) / 2
        edge = np.abs(z - middle) / half + 0.15 * noise.fractal().at(across * 0.5 + dx, z * 0.5 + dz)
        plain = np.clip((edge - 1) * np.float32(0.06 * half), -5, 1.2) + np.where(
            edge > 1, 0.12 + np.maximum(plain, 0), 0
        )
    elif plan.kind is Kind.DUNES:
        crests = noise.ridged().at(across * 1.3 + dx, z * 1.3 + dz)
        plain = plain + 13 * crests * _ramp(z, 15, 150)
    elif plan.kind is Kind.RIVER:
        aside = np.abs(across - path_middle(plan.path, z)) / np.float32(plan.path.half_width)
        banks = np.float32(0.5) + np.maximum(plain, 0)
        plain = banks - _ramp(1.6 - aside, 0.0, 1.2) * (banks + np.float32(1.2))
    return plain.astype(np.float32)


def _hills(plan: Plan, z: Floats, across: Floats) -> Floats:
    dx, dz = plan.offsets[2:4]
    shape = 0.5 + 0.42 * noise.fractal().at(across * 0.16 + dx, z * 0.16 + dz)
    start = max(NEAR, plan.far_shore) if plan.kind is Kind.LAKE else NEAR * 1.2
    grown = _ramp(z, start, start + 1_300) * shape - np.float32(0.16)
    hills = plan.hills * np.maximum(grown, 0) * (1 + z * np.float32(1 / 6_000))
    if plan.kind is Kind.DUNES:
        crest = noise.ridged().at(across * 0.4 + dx, z * 0.4 + dz)
        hills = hills * 0.25 + 9 * crest * _ramp(z, 60, 400)
    return hills.astype(np.float32)


def _mountains(plan: Plan, z: Floats, across: Floats) -> Floats:
    dx, dz = plan.offsets[4:6]
    crests = noise.ridged().at(across * 0.036 + dx, z * 0.036 + dz)
    mass = noise.fractal().at(across * 0.03 + dz, z * 0.03 + dx)
    shape = _ramp(z, MIDDLE, FAR * 0.75) * (0.16 + 0.24 * mass + 0.9 * crests)
    return (plan.mountains * np.maximum(shape, 0)).astype(np.float32)


def _grow_forest(
    plan: Plan, distances: Floats, across: Floats, bed: Floats, surface: Floats, zones: NDArray[np.uint8]
) -> None:
    """Raises the surface by crowns and marks the zone, in place, where there is forest."""
    dx, dz = plan.offsets[6:8]
    rows = slice(*np.searchsorted(distances, [FOREST_START, MIDDLE]))
    x, z = across[rows], distances[rows, None]
    density = noise.fractal().at(x * 0.55 + dx, z * 0.55 + dz) + 0.45 * (zones[rows] == Zone.HILL)
    wooded = (density > np.float32(1.15 - 1.9 * plan.forest)) & (bed[rows] > WATER_LEVEL + 0.8)
    if plan.kind in (Kind.ROAD, Kind.RIVER):
        wooded &= np.abs(x - path_middle(plan.path, z)) > 3 * plan.path.half_width + 0.02 * z
    crowns = noise.crowns().at(x * 2 + dz, z * 2 + dx)
    surface[rows] += np.where(wooded, CROWN_HEIGHT * (0.35 + 0.65 * crowns), 0)
    zones[rows][wooded] = Zone.FOREST
