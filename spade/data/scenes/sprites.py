"""Trees and rocks as small pictures, drawn once per process. Each is used at any size and under any light.

A sprite is an RGBA picture whose channels are no colours: red says how far the surface faces right (0 left to 255
right), green how open it lies to the sky (0 hidden to 255 open), blue what it is made of (0 wood to 255 leaves), alpha
where it is. So one resize by Pillow, which weighs by alpha, scales all of it.
"""

import functools
import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from spade.data.scenes import noise

TALL = 192
"""Pixels of a sprite's height; its foot is at the bottom edge, in the middle."""
EACH = 10
"""Sprites of each kind."""

Channels = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


class SpriteKind(StrEnum):
    """What is painted from a picture that always faces the viewer."""

    CONIFER = "conifer"
    BROADLEAF = "broadleaf"
    BARE = "bare"
    ROCK = "rock"


@functools.cache
def sprites(kind: SpriteKind) -> tuple[Image.Image, ...]:
    """Different sprites of a kind."""
    seed = list(SpriteKind).index(kind)
    random = np.random.Generator(np.random.PCG64(1000 + seed))
    return tuple(_picture(PAINTERS[kind](random)) for _ in range(EACH))


def draw_all() -> None:
    """Draws all sprites now, so that processes that are forked from this one have them."""
    for kind in SpriteKind:
        sprites(kind)


def _picture(channels: Channels) -> Image.Image:
    stacked = np.stack([np.clip(channel, 0, 1) for channel in channels], axis=-1)
    return Image.fromarray(np.round(stacked * 255).astype(np.uint8))


def _canvas(wide: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x from -1 to 1 across half the width, y from 0 at the top to 1 at the bottom, of pixel middles (H, W)."""
    y, x = np.mgrid[0:TALL, 0:wide]
    return (x + 0.5) / (wide / 2) - 1, (y + 0.5) / TALL


def _patch(random: np.random.Generator, shape: tuple[int, int], scale: float, tile: noise.Tile) -> NDArray[np.float64]:
    """A random piece of a tile, `scale` values a pixel."""
    left, top = random.uniform(0, noise.TILE, 2)
    v, u = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32) * np.float32(scale)
    return tile.at(u + np.float32(left), v + np.float32(top)).astype(np.float64)


def _conifer(random: np.random.Generator) -> Channels:
    """Tiers of drooping branches, wider below: dark where the tier above shades them, light at their tips."""
    wide = int(random.uniform(74, 112))
    x, y = _canvas(wide)
    ragged = _patch(random, x.shape, 1.1, noise.rough())
    needles = _patch(random, x.shape, 1.3, noise.grain())
    tiers = random.uniform(8, 14)
    lean = random.uniform(0.5, 0.75)
    tier = np.maximum(y - 0.09 * np.abs(x) + 0.006 * ragged, 0) ** lean * tiers + random.uniform()
    within = np.mod(tier, 1)
    half = np.maximum(y - 0.01, 0) ** 0.9 * (0.5 + 0.45 * within) + 0.03
    half *= 1 + 0.2 * ragged
    crown = (np.abs(x) < half) & (y < 0.95)
    trunk = (np.abs(x) < 0.05) & (y >= 0.9)
    across = np.clip(x / np.maximum(half, 0.05), -1, 1)
    open_sky = (0.28 + 0.62 * within) * (0.85 + 0.13 * needles) * (1 - 0.25 * (1 - np.abs(across)) * y)
    leaves = np.where(crown, 1.0, 0.0)
    return 0.5 + 0.5 * across, np.where(crown, open_sky, 0.35), leaves, (crown | trunk).astype(float)


def _broadleaf(random: np.random.Generator) -> Channels:
    """A crown of many leafy balls about a trunk; each ball is light on top and dark below."""
    wide = int(random.uniform(130, 190))
    x, y = _canvas(wide)
    x = x * wide / (2 * TALL)  # now in units of the height, as y is in
    ragged = _patch(random, x.shape, 1.5, noise.rough())
    leaves = _patch(random, x.shape, 1.2, noise.grain())
    middle, tall = random.uniform(0.38, 0.45), random.uniform(0.33, 0.36)
    broad = wide / TALL * 0.4
    side, sky, alpha = np.full(x.shape, 0.5), np.full(x.shape, 0.3), np.zeros(x.shape)
    trunk = np.abs(x - 0.012 * np.sin(9 * y)) < 0.016 + 0.05 * np.maximum(y - 0.8, 0)
    trunk &= (y > 0.45) & (y < 1)
    for _ in range(int(random.integers(60, 100))):
        angle, reach = random.uniform(0, 2 * math.pi), math.sqrt(random.uniform()) * 0.82
        ball_x, ball_y = reach * math.cos(angle) * broad, middle + reach * math.sin(angle) * tall
        radius = random.uniform(0.055, 0.12)
        # Of the whole sprite only the square about the ball; ragged noise pushes its edge out by a third at most.
        reach_px = int(1.4 * radius * TALL) + 1
        row, column = int(ball_y * TALL), int(ball_x * TALL + wide / 2)
        part = (slice(max(0, row - reach_px), row + reach_px), slice(max(0, column - reach_px), column + reach_px))
        dx, dy = (x[part] - ball_x) / radius, (y[part] - ball_y) / radius
        inside = np.hypot(dx, dy) + 0.22 * np.maximum(ragged[part], -1.8) < 1
        height = (middle + tall - ball_y) / (2 * tall)  # of the ball within the crown
        side[part][inside] = (0.5 + 0.28 * dx + 0.3 * ball_x / broad)[inside]
        sky[part][inside] = ((0.3 + 0.5 * height) * (0.72 - 0.3 * dy) * (1 + 0.17 * leaves[part]) + 0.05)[inside]
        alpha[part][inside] = 1
    wood = trunk & (alpha == 0)
    return side, np.where(wood, 0.4, sky), np.where(wood, 0.0, 1.0), np.maximum(alpha, wood)


def _bare(random: np.random.Generator) -> Channels:
    """Branches that fork until they are twigs."""
    wide, fine = 150, 4
    image = Image.new("L", (wide * fine, TALL * fine), 0)
    draw = ImageDraw.Draw(image)
    stems = [(wide * fine / 2, TALL * fine * 1.0, -math.pi / 2 + random.uniform(-0.06, 0.06), 0.25, 0)]
    while stems:
        x, y, angle, length, forks = stems.pop()
        end_x = x + math.cos(angle) * length * TALL * fine
        end_y = y + math.sin(angle) * length * TALL * fine
        draw.line((x, y, end_x, end_y), fill=255, width=max(2, round(7.5 * fine * 0.62**forks)))
        if forks < 8:
            for spread in (-1, 1):
                if forks > 1 and random.random() < 0.12:
                    continue  # broken off
                turned = angle + spread * random.uniform(0.1, 0.6) - 0.08 * math.cos(angle)
                stems.append((end_x, end_y, turned, length * random.uniform(0.6, 0.88), forks + 1))
    alpha = np.asarray(image.resize((wide, TALL), Image.Resampling.BOX), dtype=np.float64) / 255
    flat = np.ones_like(alpha)
    return 0.5 * flat, 0.5 * flat, 0 * flat, np.clip(alpha * 1.5, 0, 1)


def _rock(random: np.random.Generator) -> Channels:
    """A boulder cut by planes, as broken stone is: each pixel shows the plane that cuts deepest there."""
    wide = int(random.uniform(200, 340))
    x, y = _canvas(wide)
    y = 1 - y  # height above the foot
    rough = _patch(random, x.shape, 0.9, noise.rough())
    count = int(random.integers(12, 20))
    turn = random.uniform(-0.1 * math.pi, 1.1 * math.pi, count)
    towards = random.uniform(0.12, 0.95, count)
    flat = np.sqrt(1 - towards**2)
    side, up = flat * np.cos(turn), flat * np.sin(turn)
    cut = random.uniform(0.62, 0.85, count)
    depth = np.full(x.shape, np.inf)
    plane = np.zeros(x.shape, dtype=int)
    for number in range(count):
        deep = (cut[number] - side[number] * (x + 0.02 * rough) - up[number] * (y + 0.02 * rough)) / towards[number]
        plane[deep < depth] = number
        depth = np.minimum(depth, deep)
    side, up = side[plane], up[plane]
    cracks = 1 - 0.35 * (np.abs(_patch(random, x.shape, 0.6, noise.rough())) < 0.12)
    inside = (depth > 0) & (np.hypot(x, y) < 0.98) & (y > 0.05 + 0.03 * rough + 0.06 * x * x)
    sky = (0.45 + 0.5 * up + 0.07 * rough) * cracks
    return 0.5 + 0.5 * side, sky, np.zeros(x.shape), inside.astype(float)


PAINTERS: Mapping[SpriteKind, Callable[[np.random.Generator], Channels]] = MappingProxyType(
    {
        SpriteKind.CONIFER: _conifer,
        SpriteKind.BROADLEAF: _broadleaf,
        SpriteKind.BARE: _bare,
        SpriteKind.ROCK: _rock,
    }
)
