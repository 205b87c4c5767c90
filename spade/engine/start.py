"""The first features, from the semantics or from a latent.

B batch, h w pixels of the smallest size, C channels; channels last in memory.
"""

from torch import Tensor, nn
from torch.nn import functional

from spade.engine.layers import Build
from spade.engine.maps import DistinctMaps
from spade.engine.modulation import bias_of
from spade.windows import columns_by_code, sum_of_columns


class SemanticStart:
    """A 3x3 convolution over one-hot semantics, by distinct windows of ids."""

    def __init__(self, layer: nn.Conv2d, build: Build) -> None:
        self._columns = columns_by_code(layer.weight.detach(), build.config).to(build.device, build.dtype)
        self._bias = bias_of(layer).to(build.device, build.dtype)

    def __call__(self, maps: DistinctMaps, height: int, width: int) -> Tensor:
        """(B, height, width, C)"""
        windows = maps.windows(height, width, kernel_size=3)
        features = sum_of_columns(windows.ids, self._columns) + self._bias
        return functional.embedding(windows.ids_of_pixel, features)[maps.of_item]


class LatentStart:
    """A linear layer whose outputs are (C, height, width); its rows are put in the order of channels last."""

    def __init__(self, layer: nn.Linear, build: Build, *, height: int, width: int) -> None:
        weight, bias = build.folded(layer)
        self._size = (height, width)
        self._weight = weight.unflatten(0, (-1, height, width)).permute(1, 2, 0, 3).flatten(0, 2).contiguous()
        self._bias = None if bias is None else bias.unflatten(0, (-1, height, width)).permute(1, 2, 0).flatten()

    def __call__(self, z: Tensor) -> Tensor:
        """(B, height, width, C) for z (B, latent_dim)."""
        flat = functional.linear(z.to(self._weight.device, self._weight.dtype), self._weight, self._bias)
        return flat.view(len(z), *self._size, -1)
