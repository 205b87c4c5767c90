"""The ground's surface: which material each pixel shows, and its colour. C 3 channels, H W pixels of the sight."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spade.data.scenes import noise
from spade.data.scenes.classes import LOOKS, Material, SceneClass
from spade.data.scenes.light import color
from spade.data.scenes.noise import Floats
from spade.data.scenes.plan import Cover, Kind, Plan
from spade.data.scenes.shading import Relief
from spade.data.scenes.terrain import WATER_LEVEL, Ground, Sight, Zone, path_middle
from spade.data.scenes.variant import Variant

FLOWERS = (color(0.75, 0.72, 0.65), color(0.7, 0.5, 0.04), color(0.55, 0.04, 0.03), color(0.3, 0.14, 0.55))
LABELS = np.array([LOOKS[one].label for one in Material], dtype=np.uint8)
DARK = np.array([LOOKS[one].dark for one in Material], dtype=np.float32).T.copy()
LIGHT = np.array([LOOKS[one].light for one in Material], dtype=np.float32).T.copy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """What pixels of the sight show before water, trees, rocks and air are added."""

    colors: Floats
    """Linear RGB (C, H, W)."""
    labels: NDArray[np.uint8]
    water: NDArray[np.bool_]
    depth: Floats
    """Of the water in metres, below 0 on land (H, W)."""


def paint_surface(plan: Plan, ground: Ground, sight: Sight, relief: Relief) -> Surface:
    """The ground in sunlight, with its labels: what grows or lies on it follows from zone, height and steepness."""
    bed = sight.between_slices(ground.bed)
    depth = np.float32(WATER_LEVEL) - bed
    zones = sight.at_slices(ground.zones)
    steepness = sight.between_slices(relief.steepness)
    patches = noise.rough().at(sight.across * 1.9 + plan.offsets[11], sight.distance * 0.8 + plan.offsets[12])
    materials = _materials(plan, sight, zones, bed, steepness, patches)
    tone = _tone(plan, sight, materials, patches)
    colors = _albedo(plan, materials, tone)
    if plan.flowers:
        _strew_flowers(plan, colors, sight, materials, patches)
    facing = sight.between_slices(relief.facing)
    _light_up(plan, colors, facing, materials)
    labels = LABELS[materials]
    water = materials == Material.WATER
    if plan.kind is not Kind.COAST:
        labels[water] = SceneClass.RIVER
    return Surface(colors=colors, labels=labels, water=water, depth=depth)


def _materials(
    plan: Plan, sight: Sight, zones: NDArray[np.uint8], bed: Floats, steepness: Floats, patches: Floats
) -> NDArray[np.uint8]:
    winter = plan.variant is Variant.WINTER
    plain = {Cover.GRASS: Material.GRASS, Cover.SAND: Material.SAND, Cover.SNOW: Material.SNOW}[plan.cover]
    hill = {Cover.GRASS: Material.HILL, Cover.SAND: Material.SAND, Cover.SNOW: Material.SNOWY_HILL}[plan.cover]
    forest = Material.SNOWY_FOREST if winter else Material.FOREST
    by_zone = np.array([plain, hill, Material.MOUNTAIN, forest], dtype=np.uint8)
    materials = by_zone[zones]
    if plan.mountains:
        cap = bed + 160 * patches - 420 * np.maximum(steepness - 0.75, 0) > plan.snow_line
        materials[(zones == Zone.MOUNTAIN) & cap] = Material.CAP
    steep = (steepness + 0.1 * patches > 0.52) & (zones != Zone.MOUNTAIN) & (zones != Zone.FOREST)
    if plan.cover is not Cover.SAND:
        materials[steep & (bed > 0.5)] = Material.ROCK
    if plan.kind is Kind.ROAD:
        _lay_road(plan, sight, materials, zones)
    if plan.kind in (Kind.COAST, Kind.LAKE, Kind.RIVER):
        _lay_shore(plan, materials, bed, patches)
    return materials


def _lay_road(plan: Plan, sight: Sight, materials: NDArray[np.uint8], zones: NDArray[np.uint8]) -> None:
    aside = sight.across - path_middle(plan.path, sight.distance)
    half = np.float32(plan.path.half_width)
    open_ground = (zones == Zone.PLAIN) | (zones == Zone.HILL)
    on_road = (np.abs(aside) < half) & open_ground & (sight.distance < 2_500)
    materials[on_road] = Material.ROAD if plan.paved else Material.DIRT
    if not plan.paved:
        return
    dash = (np.mod(sight.distance, 9) < 4) & (sight.distance < 160)
    middle = np.abs(aside) < 0.11 + 0.0007 * sight.distance
    border = (np.abs(np.abs(aside) - half * 0.9) < 0.1 + 0.0005 * sight.distance) & (sight.distance < 120)
    materials[((dash & middle) | border) & (materials == Material.ROAD)] = Material.LINE


def _lay_shore(plan: Plan, materials: NDArray[np.uint8], bed: Floats, patches: Floats) -> None:
    wide = 1.5 if plan.kind is Kind.COAST else 0.3
    plain = (materials == Material.GRASS) | (materials == Material.SNOW) | (materials == Material.ROCK)
    if plan.cover is not Cover.SNOW or plan.kind is Kind.COAST:
        beach = plain & (bed < wide * (1 + 0.25 * patches))
        materials[beach] = Material.SAND
        materials[beach & (bed < 0.14 + 0.03 * patches)] = Material.WET_SAND
    materials[bed < WATER_LEVEL] = Material.WATER


def _tone(plan: Plan, sight: Sight, materials: NDArray[np.uint8], patches: Floats) -> Floats:
    """Where between its darkest and lightest colour a material is at each pixel."""
    dx, dz = plan.offsets[13:15]
    view, distance = plan.view, sight.distance
    # Blades and tufts stand upright: they must be as tall as wide on the picture. Rows go with 1 / distance, so
    # that is what counting along the logarithm of the distance does.
    depth = np.log(distance) * np.float32(view.eye)
    tone = 0.5 + 0.13 * patches
    for size, strength in ((0.03, 0.13), (0.13, 0.1)):
        pixels = np.float32(view.focal * size) / distance  # that one value of the tile takes up
        tufts = noise.tufts().at(sight.across / np.float32(size) + dx, depth / np.float32(size) + dz)
        tone += tufts * np.minimum(pixels * np.float32(1.4), 1) * np.float32(strength)
    wooded = np.flatnonzero((materials == Material.FOREST) | (materials == Material.SNOWY_FOREST))
    if len(wooded):
        across, ahead = sight.across.reshape(-1).take(wooded), distance.reshape(-1).take(wooded)
        crowns = noise.crowns().at(across * 2 + plan.offsets[7], ahead * 2 + plan.offsets[6])
        tone.reshape(-1)[wooded] = 0.06 + 0.62 * crowns * crowns + 0.12 * patches.reshape(-1).take(wooded)
    within: Floats = np.clip(tone, 0, 1)
    return within


def _albedo(plan: Plan, materials: NDArray[np.uint8], tone: Floats) -> Floats:
    dark, light = DARK.copy(), LIGHT.copy()
    # Dry grass is yellower and lighter.
    dryness = np.array([[2.6], [1.5], [1.3]], dtype=np.float32) ** np.float32(plan.dry)
    for material in (Material.GRASS, Material.HILL):
        dark[:, material : material + 1] *= dryness
        light[:, material : material + 1] *= dryness
    colors = np.empty((3, *materials.shape), dtype=np.float32)
    for channel in range(3):
        low = dark[channel].take(materials)
        colors[channel] = low + tone * (light[channel].take(materials) - low)
    return colors


def _strew_flowers(plan: Plan, colors: Floats, sight: Sight, materials: NDArray[np.uint8], patches: Floats) -> None:
    """Dots of one colour in meadows near by; they are grass still."""
    where = np.flatnonzero((materials == Material.GRASS) & (sight.distance < 14 * plan.view.eye) & (patches > 0.2))
    distance, across = sight.distance.reshape(-1).take(where), sight.across.reshape(-1).take(where)
    size = np.float32(0.16)
    u, v = across / size + plan.offsets[16], np.log(distance) * np.float32(plan.view.eye) / size + plan.offsets[15]
    blooming = where[noise.tufts().at(u, v) > np.float32(2.5 - plan.flowers)]
    bloom = FLOWERS[int(plan.offsets[22]) % len(FLOWERS)]
    for channel in range(3):
        colors[channel].reshape(-1)[blooming] = bloom[channel]


def _light_up(plan: Plan, colors: Floats, facing: Floats, materials: NDArray[np.uint8]) -> None:
    """Multiplies by the light, in place."""
    far = (materials == Material.MOUNTAIN) | (materials == Material.CAP) | (materials == Material.HILL)
    # Far slopes have folds that are finer than the slices; they are drawn by the pixel.
    step = np.float32(256 / plan.view.width)
    down, across = (np.arange(count, dtype=np.float32) * step for count in materials.shape)
    folds = noise.relief().near(across[None, :] + plan.offsets[15], down[:, None] + plan.offsets[16])
    folds *= np.where(far, np.float32(0.17), np.float32(0.03)) * np.float32(-1 if plan.light.side > 0 else 1)
    lit = np.clip(facing * (1 + folds) + folds * np.float32(0.15), 0, 1.2)
    key, ambient = plan.light.key, plan.light.ambient
    for channel in range(3):
        colors[channel] *= lit * key[channel] + ambient[channel]
