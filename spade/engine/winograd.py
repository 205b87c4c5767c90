"""3x3 convolutions by Winograd's F(4x4, 3x3): a quarter of the multiplications (Lavin and Gray 2016, arXiv 1509.09308).

Each tile of 4x4 output pixels comes from 6x6 input pixels, by 36 products where the definition has 144. The points of
interpolation are 0, 3/4, -3/4, 5/4, -5/4 and infinity, which round as little as the direct sum does in float32
(measured; the usual 0, 1, -1, 2, -2 lose two bits more).

B batch, H W pixels, C channels in, O channels out.
"""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

_TILE: Final = 4
_INPUT: Final = 6
_POINTS: Final = (0.0, 0.75, -0.75, 1.25, -1.25)
_STRIP_TILES: Final = 128
"""Tiles whose products are in the processor's cache at the same time (measured)."""


class WinogradConvolution:
    """A 3x3 convolution with stride 1, on a CPU in float32. Height and width have to be multiples of 4."""

    border: int = 1

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        output, kernel, input_ = _transforms(_POINTS)
        self._input = torch.kron(input_, input_).float()  # (36, 36)
        self._output = torch.kron(output, output).float()  # (16, 36)
        transformed = torch.einsum("ar,ocrs,bs->abco", kernel, weight.double(), kernel)
        self._weight = transformed.float().flatten(0, 1).contiguous()  # (36, C, O)
        self._bias = weight.new_zeros(weight.shape[0]) if bias is None else bias

    def __call__(self, x: Tensor) -> Tensor:
        """(B, H, W, O) from (B, H + 2, W + 2, C) with a border of zeros."""
        batch, height, width = x.shape[0], x.shape[1] - 2, x.shape[2] - 2
        high, wide = height // _TILE, width // _TILE
        y = x.new_empty(batch, height, width, len(self._bias))
        outputs = y.view(batch, high, _TILE, wide, _TILE, -1)
        step = max(1, _STRIP_TILES // wide)
        for item in range(batch):
            tiles = _tiles(x[item], high, wide)
            for row in range(0, high, step):
                outputs[item, row : row + step] = self._strip(tiles[:, :, row : row + step])
        return y

    def _strip(self, tiles: Tensor) -> Tensor:
        """(rows, 4, columns, 4, O) from tiles (6, 6, rows, columns, C)."""
        _, _, rows, columns, channels = tiles.shape
        transformed = torch.mm(self._input, tiles.reshape(_INPUT * _INPUT, -1))
        products = torch.bmm(transformed.view(_INPUT * _INPUT, rows * columns, channels), self._weight)
        pixels = torch.mm(self._output, products.flatten(1)).view(_TILE, _TILE, rows, columns, -1)
        return pixels.permute(2, 0, 3, 1, 4) + self._bias


def _tiles(x: Tensor, high: int, wide: int) -> Tensor:
    """The overlapping tiles of (H + 2, W + 2, C) as a view (6, 6, high, wide, C)."""
    row, column, channel = x.stride()
    return x.as_strided(
        (_INPUT, _INPUT, high, wide, x.shape[2]),
        (row, column, _TILE * row, _TILE * column, channel),
        x.storage_offset(),
    )


def _transforms(points: Sequence[float]) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices of Toom and Cook in float64: of the output (4, 6), the kernel (6, 3) and the input (6, 6).

    The last point is infinity.
    """
    finite = torch.tensor(points, dtype=torch.float64)
    others = [[p for p in points if p != point] for point in points]
    scales = torch.tensor(
        [math.prod(point - other for other in rest) for point, rest in zip(points, others, strict=True)],
        dtype=torch.float64,
    )

    output = torch.zeros(_TILE, _INPUT, dtype=torch.float64)
    output[:, :-1] = finite ** torch.arange(_TILE).unsqueeze(1)
    output[-1, -1] = 1
    kernel = torch.zeros(_INPUT, 3, dtype=torch.float64)
    kernel[:-1] = finite.unsqueeze(1) ** torch.arange(3) / scales.unsqueeze(1)
    kernel[-1, -1] = 1
    input_ = torch.zeros(_INPUT, _INPUT, dtype=torch.float64)
    for row, roots in enumerate([*others, list(points)]):
        coefficients = _polynomial(roots)
        input_[row, : len(coefficients)] = torch.tensor(coefficients, dtype=torch.float64)
    return output, kernel, input_


def _polynomial(roots: Sequence[float]) -> list[float]:
    """Coefficients, the constant one first, of the product of (x - root)."""
    coefficients = [1.0]
    for root in roots:
        shifted, scaled = [0.0, *coefficients], [*(-root * c for c in coefficients), 0.0]
        coefficients = [a + b for a, b in zip(shifted, scaled, strict=True)]
    return coefficients
