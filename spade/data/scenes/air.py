"""What air does with distance: haze, and fog that is dense enough to be seen as itself."""

import numpy as np

from spade.data.scenes import noise
from spade.data.scenes.canvas import Canvas
from spade.data.scenes.classes import SceneClass
from spade.data.scenes.light import Light
from spade.data.scenes.noise import Floats
from spade.data.scenes.plan import Plan

FOG_OPACITY = 0.7
"""From where on a pixel shows fog rather than what stands in it."""


def add_haze(colors: Floats, distance: Floats, light: Light) -> None:
    """Mixes `colors` (C, H, W) with the air's, in place, by `distance` in metres (H, W)."""
    share = 1 - np.exp(-distance / np.float32(light.visibility))
    for number, channel in enumerate(colors):
        channel += (light.horizon[number] - channel) * share


def add_fog(canvas: Canvas, plan: Plan, density: float) -> None:
    """Banks of fog upon the ground, uneven and thinner above; `density` is about 0.5 to 2."""
    view = plan.view
    across = view.slopes_across()
    fall = view.slopes_down()[:, None]
    distance = np.minimum(canvas.distance, 4_000)
    dx, dz = plan.offsets[21:23]
    drift = noise.fractal().at(across * 90 + dx, (fall * 230 + dz) + 0 * across)
    elevation = np.maximum(np.float32(view.eye) - fall * distance, 0)
    thickness = distance * np.float32(density / 260) / (1 + elevation / np.float32(45))
    opacity = 1 - np.exp(-thickness * (1 + 0.55 * drift).clip(0.15))
    # The sky begins to show through above the bank.
    opacity = np.where(np.isinf(canvas.distance), np.exp(-np.maximum(-fall, 0) * (5.5 - 1.8 * drift)), opacity)
    for number, channel in enumerate(canvas.colors):
        channel += opacity * (plan.light.horizon[number] * np.float32(1.04) - channel)
    # Haze, mixed in before, hides as fog does; the sky has none.
    clear = np.where(np.isinf(canvas.distance), 1, np.exp(-canvas.distance / np.float32(plan.light.visibility)))
    canvas.labels[1 - (1 - opacity) * clear > FOG_OPACITY] = SceneClass.FOG
