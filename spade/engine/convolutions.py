"""Convolutions of folded weights, arranged once for the way they will be read.

B batch, H W pixels, C channels in, O channels out; channels last in memory everywhere.
"""

from typing import Final, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from spade.engine.winograd import WinogradConvolution

_WINOGRAD_LIMIT: Final = 0.02
"""Of 1 / C + 1 / O: with fewer channels, transforming tiles costs more than it saves (measured)."""


class Convolution(Protocol):
    """(B, H, W, O) from (B, H, W, C), which has to lie inside of `border` more pixels of zeros on each side."""

    @property
    def border(self) -> int: ...
    def __call__(self, x: Tensor) -> Tensor: ...


class DirectConvolution:
    """By its definition, with torch's convolution."""

    border: int = 0

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight = weight.contiguous(memory_format=torch.channels_last)
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """As `Convolution` says."""
        padding = self._weight.shape[2] // 2
        return _channels_last(functional.conv2d(_channels_first(x), self._weight, self._bias, padding=padding))


class PackedConvolution:
    """By its definition, with weights in the blocks that oneDNN computes with.

    torch's convolution would put them into blocks at each call, which takes as long as the products themselves where
    there are many channels and few pixels.
    """

    border: int = 0

    def __init__(self, weight: Tensor, bias: Tensor | None, *, height: int, width: int) -> None:
        self._padding = [weight.shape[2] // 2] * 2
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(
            weight, self._padding, [1, 1], [1, 1], 1, [1, weight.shape[1], height, width]
        )
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """As `Convolution` says."""
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            _channels_first(x), self._weight, self._bias, self._padding, [1, 1], [1, 1], 1, "none", [], ""
        )
        return _channels_last(y)


def arranged_convolution(
    weight: Tensor, bias: Tensor | None, *, height: int, width: int, tiled: bool = False
) -> Convolution:
    """The fastest form for `weight` (O, C, k, k) on its device, at about `height` x `width` pixels.

    `tiled` says that both will always be multiples of 4, and are not few, so that Winograd's larger weights pay.
    """
    outputs, inputs, kernel, _ = weight.shape
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return DirectConvolution(weight, bias)
    if tiled and kernel == 3 and 1 / inputs + 1 / outputs < _WINOGRAD_LIMIT:
        return WinogradConvolution(weight, bias)
    if torch.backends.mkldnn.is_available():
        return PackedConvolution(weight, bias, height=height, width=width)
    return DirectConvolution(weight, bias)


def _channels_first(x: Tensor) -> Tensor:
    """(B, C, H, W) of the same memory."""
    return x.permute(0, 3, 1, 2)


def _channels_last(x: Tensor) -> Tensor:
    """(B, H, W, C), of the same memory where it is channels last."""
    return x.permute(0, 2, 3, 1).contiguous()
