"""Blends of two styles: what lies between two places of the latent space."""

import math
from typing import Final

import torch
from torch import Tensor

from spade.errors import ConfigError

_PARALLEL: Final = 1e-6


def blend_latents(first: Tensor, second: Tensor, weight: float) -> Tensor:
    """z (n,), float32, between two (n,) along the arc (spherical interpolation, Shoemake 1985), lengths in proportion.

    `weight` 0 is the first, 1 the second. Raises ConfigError: where it is not from 0 to 1.

    Latents of a normal distribution lie near a sphere of radius sqrt(n). Halfway along a straight line they would be
    shorter by a factor of sqrt(2), where the generator was never trained.
    """
    if not 0 <= weight <= 1:
        raise ConfigError(f"style: weight is {weight}; it must be from 0 to 1")
    a, b = first.double(), second.double()
    lengths = a.norm(), b.norm()
    if min(lengths) == 0:
        return torch.lerp(a, b, weight).float()
    directions = a / lengths[0], b / lengths[1]
    angle = math.acos(max(-1.0, min(1.0, float(directions[0] @ directions[1]))))
    if math.sin(angle) < _PARALLEL:  # the same direction, or opposite ones, between which no arc is the shortest
        return torch.lerp(a, b, weight).float()
    parts = math.sin((1 - weight) * angle) / math.sin(angle), math.sin(weight * angle) / math.sin(angle)
    length = (1 - weight) * lengths[0] + weight * lengths[1]
    blended: Tensor = (parts[0] * directions[0] + parts[1] * directions[1]) * length
    return blended.float()
