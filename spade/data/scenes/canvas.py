"""The picture while it is painted. C 3 channels, H W pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spade.data.scenes.light import Light
from spade.data.scenes.noise import Floats

CURVE_STEPS = 4096
CURVE_END = 4.0
EDGE_DISTANCE = 1.12
"""How many times farther the next pixel is where one thing ends before another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Colours, labels and distances that painters change in place."""

    colors: Floats
    """Linear RGB (C, H, W)."""
    labels: NDArray[np.uint8]
    """SceneClass (H, W)."""
    distance: Floats
    """Metres to what a pixel shows (H, W); infinite in the sky."""

    def soften_edges(self) -> None:
        """Mixes each pixel at the border of two things with its four neighbours, as a lens does."""
        height, width = self.labels.shape
        edge = np.zeros((height, width), dtype=bool)
        with np.errstate(invalid="ignore"):
            far = np.minimum(self.distance, np.float32(1e6))
            across = (self.labels[:, 1:] != self.labels[:, :-1]) | _apart(far[:, 1:], far[:, :-1])
            down = (self.labels[1:] != self.labels[:-1]) | _apart(far[1:], far[:-1])
        edge[:, 1:] |= across
        edge[:, :-1] |= across
        edge[1:] |= down
        edge[:-1] |= down
        row, column = np.nonzero(edge)
        above, below = np.maximum(row - 1, 0) * width + column, np.minimum(row + 1, height - 1) * width + column
        left, right = row * width + np.maximum(column - 1, 0), row * width + np.minimum(column + 1, width - 1)
        here = row * width + column
        for channel in self.colors.reshape(3, -1):
            around = channel.take(above) + channel.take(below) + channel.take(left) + channel.take(right)
            channel[here] = np.float32(0.44) * channel.take(here) + np.float32(0.14) * around

    def develop(self, light: Light) -> NDArray[np.uint8]:
        """As sRGB (H, W, C): bright light is compressed softly, as film does."""
        grey = self.colors.mean(axis=0)
        index = np.empty((*self.labels.shape, 3), dtype=np.int16)
        scale = np.float32(light.exposure * CURVE_STEPS / CURVE_END)
        saturation = np.float32(light.saturation)
        for number, channel in enumerate(self.colors):
            index[..., number] = np.clip((grey + (channel - grey) * saturation) * scale, 0, CURVE_STEPS - 1)
        return _film_curve().take(index)


def _apart(one: Floats, other: Floats) -> NDArray[np.bool_]:
    return (one > other * np.float32(EDGE_DISTANCE)) | (other > one * np.float32(EDGE_DISTANCE))


def _film_curve() -> NDArray[np.uint8]:
    """Brightness as shown of linear 0..CURVE_END: rises fast, then bends towards white. After Narkowicz (2015)."""
    x = np.linspace(0, CURVE_END * 0.8, CURVE_STEPS)
    shown = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    return np.round(np.clip(shown, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
