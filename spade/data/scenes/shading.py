"""How much light reaches the ground: by its slope, and in the shadow of what stands towards the sun."""

import math
from dataclasses import dataclass

import numpy as np

from spade.data.scenes.light import Light
from spade.data.scenes.noise import Floats
from spade.data.scenes.terrain import NEAR, Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Relief:
    """Of each slice (D, W)."""

    facing: Floats
    """How directly the light falls upon the ground, 0 to 1; 0 in shadow."""
    steepness: Floats
    """Metres that the ground rises for each metre."""


def shade(ground: Ground, light: Light, focal: float) -> Relief:
    """Slopes are taken from the heights of the solid ground, so without the crowns of forests."""
    distances = ground.distances[:, None]
    rise_across = np.gradient(ground.bed, axis=1) * (np.float32(focal) / distances)
    rise_along = np.gradient(ground.bed, ground.distances, axis=0)
    # Along a column x changes too: what that adds is not the slope straight ahead.
    rise_ahead = rise_along - rise_across * (ground.across / distances)
    steepness = np.hypot(rise_across, rise_ahead)
    x, up, ahead = light.direction
    facing = (up - x * rise_across - ahead * rise_ahead) / np.sqrt(1 + steepness * steepness)
    facing = np.clip(facing, 0, 1).astype(np.float32)
    rows = slice(int(np.searchsorted(ground.distances, NEAR)), len(ground.distances) - 1)
    facing[rows] *= _lit(ground, light, rows)
    return Relief(facing=facing, steepness=steepness.astype(np.float32))


def _lit(ground: Ground, light: Light, rows: slice) -> Floats:
    """0 in the shadow of what stands at the same distance on the light's side, to 1 outside.

    A point is in shadow where something on that side reaches above the line from it to the light; so a running
    maximum along the slice finds all shadows at once.
    """
    climb = math.tan(light.elevation) / max(abs(light.side), 0.2)
    side = 1 if light.side > 0 else -1
    above_line = (ground.bed[rows] - np.float32(side * climb) * ground.across[rows])[:, ::-side]
    casting = np.maximum.accumulate(above_line, axis=1)
    hidden = (casting - above_line)[:, ::-side]
    lit: Floats = np.clip(1 - hidden / (6 + 0.004 * ground.distances[rows, None]), 0, 1)
    return lit
