"""The sky: its gradient, sun or moon, stars and clouds. C 3 channels, H rows down to the lowest that shows sky."""

import math

import numpy as np
from numpy.typing import NDArray

from spade.data.scenes import noise
from spade.data.scenes.light import Light
from spade.data.scenes.noise import Floats
from spade.data.scenes.plan import Plan

CLOUD_EDGE = 0.5
"""How opaque clouds are where their label begins."""


def paint_sky(plan: Plan, rows: int, random: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
    """The first `rows` rows of the picture, nothing before the sky (C, H, W), and where clouds are (H, W)."""
    view, light = plan.view, plan.light
    across = view.slopes_across()[None, :]
    up = -view.slopes_down()[:rows, None]
    length: Floats = np.sqrt(np.float32(1) + across * across + up * up)
    height = (np.maximum(up, 0) / length).astype(np.float32)
    towards_zenith = (1 - np.exp(-3.2 * height)) / np.float32(1 - math.exp(-3.2 * 0.75))
    x, y, z = light.direction
    towards_light: Floats = (across * np.float32(x) + up * np.float32(y) + np.float32(z)) / length
    sky = light.horizon[:, None, None] + (light.zenith - light.horizon)[:, None, None] * np.minimum(towards_zenith, 1)
    glow = np.exp((towards_light - 1) * 9) + 0.35 * np.exp((towards_light - 1) * 2.2)
    sky += light.glow[:, None, None] * glow
    if light.stars:
        _add_stars(sky, light, height, random)
    if light.disc_radius:
        _add_disc(sky, light, towards_light, view.focal)
    clouds = np.zeros(sky.shape[1:], dtype=bool)
    if plan.clouds:
        clouds = _add_clouds(sky, plan, across, up, towards_light)
    return sky, clouds


def _add_stars(sky: Floats, light: Light, height: Floats, random: np.random.Generator) -> None:
    rows, width = height.shape
    count = rows * width // 260
    row, column = random.integers(0, rows, count), random.integers(0, width, count)
    brightness = light.stars * random.uniform(0.05, 1, count) ** 4 * np.clip(height[row, column] * 6, 0, 1)
    sky[:, row, column] += brightness.astype(np.float32)


def _add_disc(sky: Floats, light: Light, towards_light: Floats, focal: float) -> None:
    angle = np.arccos(np.minimum(towards_light, 1))
    cover = np.clip((light.disc_radius - angle) * np.float32(focal) + 0.5, 0, 1)
    sky += (light.disc[:, None, None] - sky) * cover


def _add_clouds(sky: Floats, plan: Plan, across: Floats, up: Floats, towards_light: Floats) -> NDArray[np.bool_]:
    """A layer of clouds overhead: heaps with lit and shaded sides, smaller towards the horizon."""
    light = plan.light
    lift = np.maximum(up, 0) + np.float32(0.09)
    dx, dz, dy = plan.offsets[8:11]
    size = np.float32(48.0 + 30 * (plan.offsets[8] / 4096))
    u, v = across / lift * size + np.float32(dx), size * 1.25 / lift + np.float32(dz)
    body = noise.fractal().at(u, v) * 0.7 + noise.rough().at(u * 1.4 + dy, v * 1.4) * 0.33
    # Towards the light the same layer is thinner or thicker: thinner means that this side is lit.
    shift = 9.0 * (1 if light.side > 0 else -1)
    beside = noise.fractal().at(u + np.float32(shift), v + np.float32(3)) * 0.7 + body * 0.25
    threshold = np.float32(1.05 - 1.9 * plan.clouds)
    density = (body - threshold) * np.float32(2.2)
    opacity = np.clip(density, 0, 1)
    opacity = opacity * opacity * (3 - 2 * opacity) * np.clip(up * 22, 0, 1)
    lit = np.clip(0.62 + 0.55 * (body - beside) - 0.2 * np.clip(density - 0.6, 0, 2), 0.12, 1.2)
    silver = np.exp((towards_light - 1) * 14) * np.clip(1.6 - density, 0, 1)
    base = (light.ambient * np.float32(0.75) + light.horizon * np.float32(0.25))[:, None, None]
    key = (light.key * np.float32(0.36))[:, None, None]
    colors = base + key * (lit * lit) + light.glow[:, None, None] * silver
    # Far clouds take on the colour of the air.
    nearness = np.clip(up * 4.5, 0, 1) * np.float32(0.8) + np.float32(0.2)
    sky += (colors - sky) * (opacity * nearness)
    is_cloud: NDArray[np.bool_] = opacity > CLOUD_EDGE
    return is_cloud
