"""Trees and rocks: where they stand, and how a sprite is lit and laid upon the picture."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from spade.data.scenes import noise
from spade.data.scenes.canvas import Canvas
from spade.data.scenes.classes import SceneClass
from spade.data.scenes.light import color
from spade.data.scenes.noise import Floats
from spade.data.scenes.plan import Cover, Kind, Plan
from spade.data.scenes.sprites import TALL, SpriteKind, sprites
from spade.data.scenes.terrain import WATER_LEVEL, Ground, has_water, path_middle
from spade.data.scenes.variant import Variant

HEIGHTS = {
    SpriteKind.CONIFER: (8.0, 22.0),
    SpriteKind.BROADLEAF: (6.0, 15.0),
    SpriteKind.BARE: (5.0, 12.0),
    SpriteKind.ROCK: (0.5, 3.2),
}
"""Metres."""

WOOD = color(0.13, 0.1, 0.08)
MIRRORED = {Kind.COAST: 0.4, Kind.LAKE: 0.65, Kind.RIVER: 0.6}
"""How much the image of a thing in the water covers of the water's own colour."""

SUNKEN = 0.14
"""How much of its height a thing that stands in water has below it."""

STONE = color(0.36, 0.34, 0.31)
SNOW = color(0.88, 0.9, 0.94)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One tree or rock. Metres."""

    sprite: Image.Image
    kind: SpriteKind
    x: float
    distance: float
    foot: float
    """Elevation of the ground on which it stands."""
    height: float
    tint: Floats
    """Colour of the leaves or of the stone."""


def place_things(plan: Plan, ground: Ground, random: np.random.Generator) -> list[Thing]:
    """Trees in clusters and rocks about the foreground, farthest first."""
    things = _trees(plan, ground, random) + _rocks(plan, ground, random)
    return sorted(things, key=lambda thing: -thing.distance)


def mirror_things(canvas: Canvas, plan: Plan, things: list[Thing]) -> None:
    """Paints what the water before each of `things` that stands in it mirrors of it; the water must be painted."""
    share = MIRRORED[plan.kind] if has_water(plan) else 0
    for thing in things:
        _mirror(canvas, plan, thing, share)


def paint_things(canvas: Canvas, plan: Plan, things: list[Thing]) -> None:
    """Cast the shadows of `things` on the ground, then paint them, in the order given."""
    shadow = np.zeros(canvas.labels.shape, dtype=np.float32)
    for thing in things:
        _cast_shadow(shadow, canvas, plan, thing)
    _darken(canvas, plan, shadow)
    for thing in things:
        _stamp(canvas, plan, thing)


def _trees(plan: Plan, ground: Ground, random: np.random.Generator) -> list[Thing]:
    things: list[Thing] = []
    if not plan.trees:
        return things
    nearest = plan.view.nearest
    clusters = int(random.integers(1, 6))
    middles = random.uniform(-0.6, 0.6, clusters)
    distances = nearest * np.exp(random.uniform(math.log(1.6), math.log(14), clusters))
    for _ in range(plan.trees):
        cluster = int(random.integers(clusters))
        distance = float(distances[cluster] * math.exp(random.normal(0, 0.45)))
        x = float((middles[cluster] + random.normal(0, 0.2)) * distance)
        kind = _tree_kind(plan, random)
        height = float(random.uniform(*HEIGHTS[kind]))
        foot = _standing_ground(plan, ground, x, distance)
        # A tree that fills the middle of the picture would hide the scene.
        too_near = plan.view.focal * height / distance > plan.view.height * (0.5 + 0.8 * abs(x / distance))
        sprite = sprites(kind)[int(random.integers(len(sprites(kind))))]
        leaves = _leaf_color(plan, kind, random)
        if foot is not None and not too_near:
            things.append(
                Thing(sprite=sprite, kind=kind, x=x, distance=distance, foot=foot, height=height, tint=leaves)
            )
    return things


def _rocks(plan: Plan, ground: Ground, random: np.random.Generator) -> list[Thing]:
    things: list[Thing] = []
    nearest = plan.view.nearest
    kind = SpriteKind.ROCK
    for _ in range(plan.rocks):
        distance = float(nearest * math.exp(random.uniform(math.log(1.15), math.log(7))))
        x = float(random.uniform(-0.6, 0.6) * distance)
        low, high = HEIGHTS[kind]
        height = (low + (high - low) * float(random.uniform()) ** 2.5) * (plan.view.eye / 4) ** 0.6
        foot = _standing_ground(plan, ground, x, distance, wading=1.6)
        sprite = sprites(kind)[int(random.integers(len(sprites(kind))))]
        stone = STONE * np.float32(random.uniform(0.6, 1.15))
        if foot is not None:
            things.append(Thing(sprite=sprite, kind=kind, x=x, distance=distance, foot=foot, height=height, tint=stone))
    return things


def _tree_kind(plan: Plan, random: np.random.Generator) -> SpriteKind:
    if random.random() < plan.conifers and plan.cover is not Cover.SAND:
        return SpriteKind.CONIFER
    return SpriteKind.BARE if plan.variant is Variant.WINTER or plan.cover is Cover.SAND else SpriteKind.BROADLEAF


def _leaf_color(plan: Plan, kind: SpriteKind, random: np.random.Generator) -> Floats:
    if kind is SpriteKind.CONIFER:
        leaves = color(0.045, 0.095, 0.035)
    else:
        leaves = color(0.085, 0.125, 0.03) * color(1.6, 1.15, 1.0) ** np.float32(plan.dry)
    return leaves * np.float32(random.uniform(0.75, 1.3))


def _standing_ground(plan: Plan, ground: Ground, x: float, distance: float, wading: float = 0.0) -> float | None:
    """The elevation to stand on at a place, or None where nothing can: in water, on the road, or outside the view."""
    column = int(plan.view.column(x, distance))
    if not -20 <= column < plan.view.width + 20 or distance < 1.5:
        return None
    column = min(max(column, 0), plan.view.width - 1)
    number = int(np.searchsorted(ground.distances, distance))
    bed = float(ground.bed[number, column])
    if has_water(plan) and bed < WATER_LEVEL + 0.25:
        return WATER_LEVEL if bed > WATER_LEVEL - wading else None
    if plan.kind is Kind.ROAD:
        aside = abs(x - float(path_middle(plan.path, np.array([distance], dtype=np.float32))[0]))
        if aside < plan.path.half_width + 1.2:
            return None
    return bed


def _cast_shadow(shadow: Floats, canvas: Canvas, plan: Plan, thing: Thing) -> None:
    """Marks the ground on the side away from the light, where it is as far as the thing is (H, W)."""
    light, view = plan.light, plan.view
    scale = view.focal / thing.distance
    tall = thing.height * scale
    wide = tall * thing.sprite.width / TALL * (0.45 if thing.kind is not SpriteKind.BARE else 0.25)
    long = min(thing.height / math.tan(light.elevation), 4 * thing.height) * scale
    flat = max(0.04, view.eye / thing.distance)  # how much a circle on the ground is pressed together
    x, _, ahead = light.direction
    reach_x, reach_y = -x * long, ahead * long * flat
    row, column = view.row(thing.foot, thing.distance), view.column(thing.x, thing.distance)
    middle_x, middle_y = column + reach_x / 2, row + reach_y / 2
    half_x, half_y = abs(reach_x) / 2 + wide, abs(reach_y) / 2 + max(wide * flat, 0.7)
    top, bottom = max(0, int(middle_y - half_y)), min(view.height, int(middle_y + half_y) + 1)
    left, right = max(0, int(middle_x - half_x)), min(view.width, int(middle_x + half_x) + 1)
    if top >= bottom or left >= right:
        return
    dx = (np.arange(left, right, dtype=np.float32) + 0.5 - np.float32(middle_x)) / np.float32(half_x)
    dy = (np.arange(top, bottom, dtype=np.float32) + 0.5 - np.float32(middle_y)) / np.float32(half_y)
    cover = np.clip(1.6 * (1 - dx * dx - dy[:, None] ** 2), 0, 1)
    region = (slice(top, bottom), slice(left, right))
    ratio = canvas.distance[region] / np.float32(thing.distance)
    cover *= np.clip((1.8 - ratio) * 2, 0, 1) * np.clip((ratio - 0.5) * 4, 0, 1)
    shadow[region] = np.maximum(shadow[region], cover)


def _darken(canvas: Canvas, plan: Plan, shadow: Floats) -> None:
    """Takes most of the direct light away where there is shadow; water does not show any."""
    light = plan.light
    wet = (canvas.labels == SceneClass.SEA) | (canvas.labels == SceneClass.RIVER)
    shadow[wet | (canvas.labels == SceneClass.TREE)] = 0
    direct = light.key * np.float32(max(0.2, math.sin(light.elevation)))
    lost = np.float32(0.3 + 0.42 * light.clear) * direct / (light.ambient + direct)
    for number, channel in enumerate(canvas.colors):
        channel *= 1 - shadow * lost[number]


def _stamp(canvas: Canvas, plan: Plan, thing: Thing) -> None:
    view, light = plan.view, plan.light
    scale = view.focal / thing.distance
    tall = max(2, round(thing.height * scale))
    wide = max(2, round(tall * thing.sprite.width / TALL))
    ground = view.row(thing.foot, thing.distance)
    in_water = _is_water(canvas, ground, view.column(thing.x, thing.distance))
    foot = round(ground + (SUNKEN if in_water else 0.02) * tall)
    left = round(view.column(thing.x, thing.distance) - wide / 2)
    top = foot - tall
    rows = slice(max(0, top), min(view.height, round(ground) if in_water else foot))
    columns = slice(max(0, left), min(view.width, left + wide))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    box = (columns.start - left, rows.start - top, columns.stop - left, rows.stop - top)
    sprite = thing.sprite.resize((wide, tall), Image.Resampling.BOX if tall < TALL else Image.Resampling.BICUBIC)
    parts = np.asarray(sprite.crop(box), dtype=np.float32) / np.float32(255)
    side, sky, leafy, alpha = (parts[..., number] for number in range(4))
    alpha = alpha * (canvas.distance[rows, columns] > thing.distance * 0.97)
    albedo = _albedo(plan, thing, sky, leafy)
    # What stands between the viewer and a low sun turns its dark side.
    base = np.float32(0.42 - 0.26 * max(0.0, light.direction[2]) ** 2)
    facing = np.clip(base + (side - 0.5) * np.float32(1.5 * light.side), 0, 1.2) * sky * np.float32(1.25)
    haze = np.float32(1 - math.exp(-thing.distance / light.visibility))
    for number in range(3):
        lit = albedo[number] * (facing * light.key[number] + (0.25 + 0.75 * sky) * light.ambient[number])
        lit += haze * (light.horizon[number] - lit)
        target = canvas.colors[number, rows, columns]
        target += alpha * (lit - target)
    covered = alpha >= 0.5
    canvas.labels[rows, columns][covered] = SceneClass.ROCK if thing.kind is SpriteKind.ROCK else SceneClass.TREE
    canvas.distance[rows, columns][covered] = thing.distance


def _is_water(canvas: Canvas, row: float, column: float) -> bool:
    """Whether the pixel just below a place on the picture shows water."""
    height, width = canvas.labels.shape
    label = canvas.labels[min(max(round(row), 0), height - 1), min(max(int(column), 0), width - 1)]
    return label in (SceneClass.SEA, SceneClass.RIVER)


def _mirror(canvas: Canvas, plan: Plan, thing: Thing, share: float) -> None:
    view = plan.view
    scale = view.focal / thing.distance
    line, tall = round(view.row(thing.foot, thing.distance)), round(thing.height * scale)
    column, wide = view.column(thing.x, thing.distance), tall * thing.sprite.width / TALL
    deep = min(tall, line, view.height - line)
    columns = np.arange(max(0, int(column - wide / 2)), min(view.width, int(column + wide / 2) + 1))
    if deep < 1 or len(columns) < 1 or not _is_water(canvas, line, column):
        return
    down = np.arange(deep)
    # Waves shift the rows of the image aside, and farther down they let less of it through.
    aside = noise.rough().at(np.float32(thing.distance) + 0 * down, down * np.float32(3 / scale**0.5))
    shifted = columns + np.rint(aside * (0.5 + 0.05 * down))[:, None].astype(np.int64)
    source = (line - 1 - down)[:, None], np.clip(shifted, 0, view.width - 1)
    target = (line + down)[:, None], columns
    wet = (canvas.labels[target] == SceneClass.SEA) | (canvas.labels[target] == SceneClass.RIVER)
    cover = wet & (canvas.distance[source] == np.float32(thing.distance))
    weight = cover * np.float32(share) * (1 - np.float32(0.6 / deep) * down[:, None])
    for channel in canvas.colors:
        channel[target] += weight * (np.float32(0.8) * channel[source] - channel[target])


def _albedo(plan: Plan, thing: Thing, sky: Floats, leafy: Floats) -> Floats:
    """Linear RGB (C, H, W)."""
    if thing.kind is SpriteKind.ROCK:
        albedo = np.broadcast_to(thing.tint[:, None, None], (3, *sky.shape))
    else:
        albedo = WOOD[:, None, None] + (thing.tint - WOOD)[:, None, None] * leafy
    if plan.variant is Variant.WINTER:
        # Snow lies where the sky is open above.
        open_at = 0.62 if thing.kind is SpriteKind.ROCK else 0.5
        snow = np.clip((sky - np.float32(open_at)) * 6, 0, 1) * np.float32(0.85)
        albedo = albedo + (SNOW[:, None, None] - albedo) * snow
    return albedo
