"""The camera: how points of the world, in metres, and pixels of the picture correspond."""

from dataclasses import dataclass

import numpy as np

from spade.data.scenes.noise import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A level camera at x = z = 0 that looks along z."""

    height: int
    width: int
    """Pixels of the picture."""
    horizon: float
    """Row, counted from the top, at which an endless plain would end."""
    focal: float
    """Pixels that one metre takes up at one metre's distance."""
    eye: float
    """Metres above the ground's zero."""

    @property
    def nearest(self) -> float:
        """Distance of the ground at the picture's lower edge, in metres."""
        return self.focal * self.eye / (self.height - self.horizon)

    def slopes_across(self) -> Floats:
        """x / z of each column's middle (W,)."""
        middles = np.arange(self.width, dtype=np.float32) + np.float32(0.5 - self.width / 2)
        return middles / np.float32(self.focal)

    def slopes_down(self, top: int = 0) -> Floats:
        """Metres that the view through each row's middle falls for each metre ahead (H - top,)."""
        middles = np.arange(top, self.height, dtype=np.float32) + np.float32(0.5 - self.horizon)
        return middles / np.float32(self.focal)

    def row(self, elevation: float, distance: float) -> float:
        """The row of a point `elevation` metres above zero and `distance` metres away."""
        return self.horizon + self.focal * (self.eye - elevation) / distance

    def column(self, x: float, distance: float) -> float:
        return self.width / 2 + self.focal * x / distance
