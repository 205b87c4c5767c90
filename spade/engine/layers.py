"""The generator's blocks with folded weights: what is left to do for a picture once its maps' modulation is known.

B batch, h w pixels, C channels; channels last in memory everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from spade.activations import LEAKY_SLOPE
from spade.blocks import SpadeBlock
from spade.config import GeneratorConfig
from spade.engine.convolutions import Convolution, arranged_convolution
from spade.engine.modulation import Modulation, Modulator
from spade.normalization import SpadeNorm

_STRIP_VALUES: Final = 2**20
"""On a CPU, of a strip of rows: few enough that whatever is done to it finds it in the cache (measured)."""

Fuse = Callable[[Tensor, Tensor, Tensor, bool], None]
"""`fuse(x, rows, output, activated)` writes x * scale + shift, through leaky ReLU or not, to `output`.

`output` is (..., C), `x` of a shape that broadcasts to it, `rows` (..., 2 * C): scales, then shifts.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What layers are made with."""

    config: GeneratorConfig
    dtype: torch.dtype
    device: torch.device
    fuse: Fuse

    def folded(self, layer: nn.Module) -> tuple[Tensor, Tensor | None]:
        """Weight, with spectral norm in it, and bias of a convolution or linear layer in evaluation mode, as copies."""
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        weight = layer.weight.detach().to(self.device, self.dtype, copy=True)
        return weight, None if layer.bias is None else layer.bias.detach().to(self.device, self.dtype, copy=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maps:
    """The maps of a batch."""

    of_item: list[int]
    """(B,) which map an item has."""
    modulation: Callable[[Modulator, int, int], Modulation]
    """Of a layer at (height, width)."""


class EngineNorm:
    """A SPADE layer."""

    def __init__(self, norm: SpadeNorm, build: Build) -> None:
        self._modulator = Modulator(norm, build.config, dtype=build.dtype, device=build.device)
        self._instance_norm = norm.statistics if isinstance(norm.statistics, nn.InstanceNorm2d) else None
        self._fuse = build.fuse

    def __call__(
        self, x: Tensor, maps: Maps, height: int, width: int, *, activated: bool = True, border: int = 0
    ) -> Tensor:
        """(B, height, width, C), with a `border` of zeros, from x (B, h, w, C) of that size or to be doubled to it."""
        modulation = maps.modulation(self._modulator, height, width)
        if self._instance_norm is not None:  # whose statistics a doubling does not change
            x = _instance_normalized(x, self._instance_norm.eps)
        batch, small, _, channels = x.shape
        fold = height // small
        padded = x.new_empty(batch, height + 2 * border, width + 2 * border, channels)
        _clear_border(padded, border)
        output = padded[:, border : border + height, border : border + width]
        for number in dict.fromkeys(maps.of_item):
            for top, bottom in _strips(height, width * channels, fold, x.device):
                rows = modulation.rows(number, top, bottom)
                for item in (item for item, chosen in enumerate(maps.of_item) if chosen == number):
                    strip = output[item, top:bottom].unflatten(0, (-1, fold)).unflatten(2, (-1, fold))
                    part = x[item, top // fold : bottom // fold, None, :, None]
                    self._fuse(part, rows.view(*strip.shape[:-1], -1), strip, activated)
        return padded


class EngineBlock:
    """A residual block; `doubled` says that its input is doubled before it."""

    def __init__(self, block: SpadeBlock, build: Build, *, doubled: bool, height: int, width: int, tiled: bool) -> None:
        def convolution(layer: nn.Module) -> Convolution:
            return arranged_convolution(*build.folded(layer), height=height, width=width, tiled=tiled)

        self._fold = 2 if doubled else 1
        self._norm_0 = EngineNorm(block.norm_0, build)
        self._conv_0 = convolution(block.conv_0)
        self._norm_1 = EngineNorm(block.norm_1, build)
        self._conv_1 = convolution(block.conv_1)
        self._skip: tuple[EngineNorm, Tensor] | None = None
        if block.learns_skip:
            weight, _ = build.folded(block.conv_skip)
            self._skip = EngineNorm(block.norm_skip, build), weight[:, :, 0, 0].T.contiguous()

    def __call__(self, x: Tensor, maps: Maps) -> Tensor:
        """(B, h, w, C) to (B, h, w, O) or, doubled, (B, 2 * h, 2 * w, O)."""
        height, width = self._fold * x.shape[1], self._fold * x.shape[2]
        change = self._conv_0(self._norm_0(x, maps, height, width, border=self._conv_0.border))
        change = self._conv_1(self._norm_1(change, maps, height, width, border=self._conv_1.border))
        if self._skip is None:
            change.unflatten(1, (-1, self._fold)).unflatten(3, (-1, self._fold)).add_(x[:, :, None, :, None])
            return change
        norm, weight = self._skip
        skip = norm(x, maps, height, width, activated=False)
        change.flatten(0, 2).addmm_(skip.flatten(0, 2), weight)
        return change


def fuse(x: Tensor, rows: Tensor, output: Tensor, activated: bool) -> None:
    """`Fuse` by torch's operations, in place."""
    scale, shift = rows.chunk(2, dim=-1)
    torch.addcmul(shift, x, scale, out=output)
    if activated:
        functional.leaky_relu_(output, LEAKY_SLOPE)


def fuse_for_compiler(x: Tensor, rows: Tensor, output: Tensor, activated: bool) -> None:
    """`Fuse` in a form of which torch.compile makes one kernel."""
    scale, shift = rows.chunk(2, dim=-1)
    y = x * scale + shift
    output.copy_(functional.leaky_relu(y, LEAKY_SLOPE) if activated else y)


def _instance_normalized(x: Tensor, eps: float) -> Tensor:
    """(B, h, w, C) with the statistics of each item, which are float32."""
    normalized = torch.empty_like(x)
    for item, picture in enumerate(x):
        mean, variance = _mean_and_variance(picture.float())
        # x - mean first: where a picture is nearly uniform, both are large beside their difference.
        # Both float32 always, or else the rounding of the mean would shift the whole picture, many deviations at times.
        torch.sub(picture, mean, out=normalized[item]).mul_(torch.rsqrt(variance + eps))
    return normalized


def _mean_and_variance(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) of (h, w, C)."""
    if picture.device.type == "mps":  # which lacks the other, a tenth and less of this one's time on a CPU (measured)
        variance, mean = torch.var_mean(picture, dim=(0, 1), correction=0)
        return mean, variance
    return torch.batch_norm_update_stats(picture.permute(2, 0, 1)[None], None, None, 0.0)


def _clear_border(padded: Tensor, border: int) -> None:
    if border:
        for side in (padded[:, :border], padded[:, -border:], padded[:, :, :border], padded[:, :, -border:]):
            side.zero_()


def _strips(height: int, row_values: int, fold: int, device: torch.device) -> list[tuple[int, int]]:
    """Top and bottom of strips of picture rows, in multiples of `fold`; on GPUs there is one."""
    step = height if device.type != "cpu" else max(fold, _STRIP_VALUES // row_values // fold * fold)
    return [(top, min(top + step, height)) for top in range(0, height, step)]
