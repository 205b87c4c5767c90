"""Activations that several networks share."""

from torch import Tensor
from torch.nn import functional

LEAKY_SLOPE = 0.2


def leaky_relu(x: Tensor) -> Tensor:
    """Leaky ReLU with the slope used in every network but pix2pixHD's generator.

    It takes x's place in memory, so x must be a result that nothing else reads. For gradients either would do.
    """
    return functional.leaky_relu(x, LEAKY_SLOPE, inplace=True)
