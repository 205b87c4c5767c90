"""Scale and shift of a SPADE layer at every pixel, for maps that are known: a table of distinct rows and an index.

M maps, h w pixels at the layer's resolution, C channels, P and U distinct windows of ids and of hidden activations, T
taps of the k x k kernel. A row is (2 * C): scales, then shifts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from spade.config import GeneratorConfig
from spade.engine.convolutions import DirectConvolution
from spade.normalization import SpadeNorm
from spade.statistics import BatchStatistics
from spade.windows import Windows, columns_by_code, sum_of_columns

_DENSE_SHARE: Final = 0.8
"""Above this share of distinct windows of ids among the pixels, a convolution is faster than a table (measured)."""

_SLICE_CHANNELS: Final = (16, 128)
"""Of a table, made at once: not so few that products take long for each, not so many that they leave the processor's
cache before they are summed (measured)."""


class Modulation(Protocol):
    """Scale and shift of one layer for some maps."""

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""

    def rows(self, item: int, top: int, bottom: int) -> Tensor:
        """((bottom - top) * w, 2 * C): rows of the pixels of map `item` in the picture rows from `top` to `bottom`."""


@dataclass(frozen=True, slots=True)
class Table:
    """Distinct rows, gathered for each pixel."""

    distinct: Tensor
    """(U, 2 * C)"""
    index: Tensor
    """(M, h, w) int32, rows of `distinct`."""

    @property
    def nbytes(self) -> int:
        return self.distinct.nbytes + self.index.nbytes

    def rows(self, item: int, top: int, bottom: int) -> Tensor:
        """As `Modulation` says."""
        return torch.index_select(self.distinct, 0, self.index[item, top:bottom].reshape(-1))


@dataclass(frozen=True, slots=True)
class Everywhere:
    """A row for each pixel."""

    pixels: Tensor
    """(M, h, w, 2 * C)"""

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes

    def rows(self, item: int, top: int, bottom: int) -> Tensor:
        """As `Modulation` says."""
        return self.pixels[item, top:bottom].flatten(0, 1)


@dataclass(frozen=True, slots=True)
class Computed:
    """Rows that are computed whenever they are asked for: where they would take too much memory."""

    compute: Callable[[int, int, int], Tensor]
    """What `rows` answers."""
    nbytes: int
    """Of the windows that they are computed from."""

    def rows(self, item: int, top: int, bottom: int) -> Tensor:
        """As `Modulation` says."""
        return self.compute(item, top, bottom)


class Modulator:
    """What a SPADE layer makes of windows: its weights, with evaluation-mode batch statistics folded in.

    Of instance norm, which has no such statistics, the rows are 1 + gamma and beta.
    """

    def __init__(self, norm: SpadeNorm, config: GeneratorConfig, *, dtype: torch.dtype, device: torch.device) -> None:
        self._radius = config.kernel_size // 2
        self._columns = columns_by_code(norm.shared.weight.detach(), config).to(device, dtype)
        self._hidden_bias = bias_of(norm.shared).to(device, dtype)
        weight, bias = _scale_and_shift(norm)
        self._bias = bias.to(device, dtype)
        self._weight = weight.to(device, dtype).contiguous(memory_format=torch.channels_last)  # (2C, hidden, k, k)
        self._convolution = DirectConvolution(self._weight, self._bias)

    def modulation(self, windows: Windows, *, most_bytes: int) -> Modulation:
        """For the maps of `windows`, in at most `most_bytes`."""
        pixels = windows.hidden_of_pixel.numel()
        row_bytes = len(self._bias) * self._bias.element_size()
        channels = self._slice_channels(windows, most_bytes)
        repeats = len(windows.ids) <= _DENSE_SHARE * pixels
        if repeats and channels >= _SLICE_CHANNELS[0] and len(windows.hidden) * row_bytes <= most_bytes:
            return Table(self._table(windows, channels), windows.hidden_of_pixel.int())
        if pixels * row_bytes <= most_bytes:
            hidden = self._hidden_activations(windows.ids)
            return Everywhere(self._convolution(functional.embedding(windows.ids_of_pixel, hidden)))
        return Computed(lambda item, top, bottom: self._strip(windows, item, top, bottom), windows.nbytes)

    def _slice_channels(self, windows: Windows, most_bytes: int) -> int:
        """Of how many channels the products fit."""
        taps = windows.ids.shape[1]
        channel_bytes = taps * (len(windows.ids) + 1) * self._bias.element_size()
        return min(_SLICE_CHANNELS[1], most_bytes // channel_bytes)

    def _hidden_activations(self, ids: Tensor) -> Tensor:
        """(P, hidden), of windows of ids (P, T)."""
        return functional.relu_(sum_of_columns(ids, self._columns) + self._hidden_bias)

    def _table(self, windows: Windows, channels: int) -> Tensor:
        """(U, 2 * C): products of each window of ids at each tap, then a sum over the taps of those there are.

        Each window of ids is part of several windows of hidden activations, so this takes P, not U, products. They are
        made of so many `channels` at a time.
        """
        # Outside the picture activations are zero.
        padded = functional.pad(self._hidden_activations(windows.ids), (0, 0, 0, 1))
        taps = self._weight.permute(2, 3, 1, 0).flatten(0, 1)  # (T, hidden, 2C), of the same memory
        rows = windows.hidden + len(padded) * torch.arange(len(taps), device=padded.device)
        table = padded.new_empty(len(rows), len(self._bias))
        for start in range(0, len(self._bias), channels):
            part = slice(start, start + channels)
            products = torch.bmm(padded.expand(len(taps), -1, -1), taps[:, :, part]).flatten(0, 1)
            table[:, part] = functional.embedding_bag(rows, products, mode="sum") + self._bias[part]
        return table

    def _strip(self, windows: Windows, item: int, top: int, bottom: int) -> Tensor:
        """The rows of a strip of one map, whose hidden activations reach beyond it."""
        ids_of_pixel, radius = windows.ids_of_pixel[item], self._radius
        height, width = ids_of_pixel.shape
        first, last = max(0, top - radius), min(height, bottom + radius)
        ids = windows.ids[ids_of_pixel[first:last].flatten()]
        hidden = self._hidden_activations(ids).view(last - first, width, -1)
        padded = functional.pad(hidden, (0, 0, radius, radius, first - top + radius, bottom + radius - last))
        strip = functional.conv2d(padded.permute(2, 0, 1)[None], self._weight, self._bias)
        return strip[0].permute(1, 2, 0).flatten(0, 1)


def bias_of(layer: nn.Conv2d) -> Tensor:
    """A copy of its bias (O,), zeros where it has none, without gradients."""
    return layer.weight.new_zeros(layer.weight.shape[0]) if layer.bias is None else layer.bias.detach().clone()


def _scale_and_shift(norm: SpadeNorm) -> tuple[Tensor, Tensor]:
    """Weight (2 * C, hidden, k, k) and bias (2 * C,) that make scale and shift from hidden activations.

    N(x) * (1 + gamma) + beta with N(x) = (x - mean) * s is x * s * (1 + gamma) + (beta - mean * s * (1 + gamma)).
    """
    gamma, beta = norm.gamma.weight.detach(), norm.beta.weight.detach()
    scale_bias, shift_bias = 1 + bias_of(norm.gamma), bias_of(norm.beta)
    if isinstance(norm.statistics, BatchStatistics):
        mean, scale = norm.statistics.running_mean, norm.statistics.running_var
        assert mean is not None
        assert scale is not None
        scale = torch.rsqrt(scale + norm.statistics.eps)
        gamma, scale_bias = gamma * scale.view(-1, 1, 1, 1), scale_bias * scale
        beta, shift_bias = beta - gamma * mean.view(-1, 1, 1, 1), shift_bias - scale_bias * mean
    return torch.cat([gamma, beta]), torch.cat([scale_bias, shift_bias])
