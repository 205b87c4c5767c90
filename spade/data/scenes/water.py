"""Water: mirror of what stands behind it, broken by waves, clear near the shore, with foam and glitter. N pixels."""

import math

import numpy as np
from numpy.typing import NDArray

from spade.data.scenes import noise
from spade.data.scenes.canvas import Canvas
from spade.data.scenes.classes import SceneClass
from spade.data.scenes.light import color
from spade.data.scenes.noise import Floats
from spade.data.scenes.plan import Kind, Plan
from spade.data.scenes.surface import Surface
from spade.data.scenes.terrain import Sight

DEEP = {
    Kind.COAST: color(0.006, 0.035, 0.05),
    Kind.LAKE: color(0.008, 0.026, 0.03),
    Kind.RIVER: color(0.016, 0.03, 0.022),
}
BOTTOM = color(0.26, 0.22, 0.14)
FOAM = color(0.85, 0.88, 0.9)
ROUGHNESS = {Kind.COAST: 0.055, Kind.LAKE: 0.012, Kind.RIVER: 0.018}
"""Typical slope of the waves."""
MOST_MIRRORED = {Kind.COAST: 0.68, Kind.LAKE: 0.95, Kind.RIVER: 0.9}
"""What a surface of such waves mirrors at most: their near sides always let one look in."""


def paint_water(canvas: Canvas, plan: Plan, sight: Sight, surface: Surface) -> None:
    """Paints the pixels of the canvas that are labelled as water; what stands behind must be painted already."""
    is_water = (canvas.labels[sight.top :] == SceneClass.SEA) | (canvas.labels[sight.top :] == SceneClass.RIVER)
    where = np.flatnonzero(is_water)
    if not len(where):
        return
    width = plan.view.width
    row, column = where // width + sight.top, where % width
    distance = sight.distance.reshape(-1).take(where)
    across = sight.across.reshape(-1).take(where)
    depth = np.maximum(surface.depth.reshape(-1).take(where), 0)
    slope, chop = _waves(plan, across, distance)
    mirror = _mirror_index(canvas, plan, surface.water, sight.top, row, column, slope, chop)
    grazing = np.float32(plan.view.eye) / np.hypot(distance, np.float32(plan.view.eye))
    share = 0.03 + 0.97 * (1 - grazing) ** 5
    share = np.clip(share * MOST_MIRRORED[plan.kind] - slope * 2.2, 0.03, 0.97)  # a wave's near side lets one look in
    glint = _glint(plan, across, distance, slope, chop)
    clear = np.exp(-depth * np.float32(1.7))
    foam = _foam(plan, across, distance, depth, chop)
    haze = 1 - np.exp(-distance / np.float32(plan.light.visibility))
    light = plan.light
    sun = max(0.15, math.sin(light.elevation))
    flat = where + sight.top * width
    above, below = np.maximum(mirror - width, 0), np.minimum(mirror + 1, canvas.labels.size - 1)
    for number in range(3):
        plane = canvas.colors[number].reshape(-1)
        brightness = light.ambient[number] + light.key[number] * np.float32(sun)
        deep = DEEP[plan.kind][number] + (BOTTOM[number] * np.float32(0.5) - DEEP[plan.kind][number]) * clear
        seen = deep * brightness * (1 + chop * np.float32(0.12))
        mirrored = (plane.take(mirror) + plane.take(above) + plane.take(below)) * np.float32(1 / 3)
        seen += share * (mirrored - seen)
        seen += glint * light.key[number]
        seen += foam * (FOAM[number] * brightness - seen)
        seen += haze * (light.horizon[number] - seen)
        plane[flat] = seen


def _waves(plan: Plan, across: Floats, distance: Floats) -> tuple[Floats, Floats]:
    """Slope towards the viewer, and finer chop of standard deviation 1 (N,). Far waves merge, so they are weaker."""
    dx, dz = plan.offsets[17:19]
    size = np.float32(1.0 if plan.kind is Kind.COAST else 1.8)
    swell = noise.rough().at(across * size * 0.55 + dx, distance * size * 1.5 + dz)
    chop = noise.rough().at(across * size * 2.3 + dz, distance * size * 4.0 + dx)
    near = np.minimum(1, 110 / distance)
    slope = (0.65 * swell + 0.5 * chop) * near + 0.12 * chop * (1 - near)
    return slope * np.float32(ROUGHNESS[plan.kind]), chop * near


def _mirror_index(
    canvas: Canvas,
    plan: Plan,
    water: NDArray[np.bool_],
    top: int,
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    slope: Floats,
    chop: Floats,
) -> NDArray[np.int64]:
    """The pixel that each water pixel mirrors: as far above the far shore as the water pixel lies below it (N,)."""
    height, width = canvas.labels.shape
    rows = np.arange(top, height, dtype=np.float32)[:, None]
    shore = np.maximum.accumulate(np.where(water, np.float32(0), rows), axis=0)
    shore = np.maximum(shore, np.float32(math.floor(plan.view.horizon)))
    smooth = np.cumsum(np.pad(shore, ((0, 0), (4, 3)), mode="edge"), axis=1)
    shore[:, 1:] = (smooth[:, 7:] - smooth[:, :-7])[:, : width - 1] / 7
    line = shore[row - top, column]
    lift = np.abs(slope) + np.float32(0.5 * ROUGHNESS[plan.kind])  # waves show more of the sky above than below
    upwards = 2 * line - row - lift * np.float32(2 * plan.view.focal)
    upwards = np.minimum(upwards, line)
    # Above the picture's top the sky goes on much as below it.
    mirrored_row = np.where(upwards < 0, np.minimum(-upwards, 0.8 * line), upwards).astype(np.int64)
    aside = column + slope * np.float32(0.35 * plan.view.focal) + chop * np.float32(0.4)
    index: NDArray[np.int64] = mirrored_row * width + np.clip(aside, 0, width - 1).astype(np.int64)
    return index


def _glint(plan: Plan, across: Floats, distance: Floats, slope: Floats, chop: Floats) -> Floats:
    """The light's own mirror image, spread by the waves into a path (N,)."""
    x, y, z = plan.light.direction
    right, down = across / distance, np.float32(plan.view.eye) / distance
    up = down + 2 * slope
    towards = (right * x + up * y + z) / np.sqrt(1 + right * right + up * up)
    spread = 90 if plan.kind is Kind.COAST else 160
    sparkle = np.clip(0.55 + 0.5 * chop, 0, 2)
    glint: Floats = np.exp((towards - 1) * spread) * sparkle * np.float32(1.1 * plan.light.clear)
    return glint


def _foam(plan: Plan, across: Floats, distance: Floats, depth: Floats, chop: Floats) -> Floats:
    """Where waves break: along the shore and, at sea, on some crests (N,)."""
    if plan.kind is not Kind.COAST:
        rim: Floats = np.clip((0.035 - depth) * 30, 0, 1) * np.float32(0.25)
        return rim
    dx, dz = plan.offsets[19:21]
    line = noise.rough().at(across * 1.1 + dx, distance * 0.35 + dz)
    lace = np.clip(0.55 + 0.45 * noise.rough().at(across * 5 + dz, distance * 3 + dx) + 0.25 * chop, 0, 1)
    edge = np.clip((0.06 + 0.05 * line - depth) * 16, 0, 1)
    breaker = np.clip(1 - np.abs(depth - 0.55 - 0.22 * line) * 9, 0, 1) * np.clip(0.2 + line, 0, 1)
    crest = np.clip((chop - 2.1) * 1.2, 0, 0.5)
    foam: Floats = np.clip((0.9 * edge + breaker) * lace + crest, 0, 0.95)
    return foam
