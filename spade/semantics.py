"""Semantics as ids rather than one-hot tensors: SPADE layers get the same numbers for a fraction of the work.

The distinct windows of a label map are found once per resolution, and gamma and beta are computed once for each. The
mathematics are those of the dense form, gradients included; only the order of additions differs.

B batch, K semantic channels, C channels, h w pixels at a layer's resolution, T taps of the k x k kernel,
P distinct windows of ids, U distinct windows of hidden activations.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spade.labels import semantics_from_labels
from spade.semantics_form import SemanticsForm, semantic_channels
from spade.windows import Windows, codes_of_labels, columns_by_code, find_windows, resize_codes, sum_of_columns

_DENSE_SHARE = 0.6
"""Above this share of distinct windows among the pixels, a convolution is faster than gathering (measured)."""
_FACTOR_SHARE = 0.5
"""Below this ratio P / U, products per window of ids are made and summed, rather than per window of activations."""


class SparseSemantics:
    """What a generator reads of a batch of label maps.

    `labels` (B, H, W) integer ids and `instances` (B, H, W) or None, as `semantics_from_labels` takes them.
    Raises ConfigError: where an id has no channel, or there are no classes.
    """

    def __init__(self, labels: Tensor, instances: Tensor | None, form: SemanticsForm) -> None:
        self._form = form
        self._codes = codes_of_labels(labels, instances, form)
        self._windows: dict[tuple[int, int, int], Windows] = {}
        self._dense: dict[tuple[int, int], Tensor] = {}

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(B, K, H, W) of the dense form."""
        batch, height, width = self._codes.shape
        return batch, semantic_channels(self._form), height, width

    def dense(self, height: int, width: int) -> Tensor:
        """(B, K, height, width) float32 of zeros and ones, resized by nearest neighbour."""
        if (height, width) not in self._dense:
            codes = resize_codes(self._codes, height, width) - 1
            semantics = semantics_from_labels(
                codes // 2, None, label_nc=self._form.label_nc, dont_care=self._form.dont_care, instance_edges=False
            )
            if self._form.instance_edges:
                semantics = torch.cat([semantics, (codes % 2).unsqueeze(1).float()], dim=1)
            self._dense[height, width] = semantics
        return self._dense[height, width]

    def modulation(
        self, size: Sequence[int], shared: nn.Conv2d, gamma: nn.Conv2d, beta: nn.Conv2d
    ) -> Callable[[Tensor], Tensor]:
        """Takes x (B, C, *size) times 1 + gamma plus beta, channels last in memory, as the dense form has them."""
        height, width = size
        windows = self._windows_at(height, width, shared.kernel_size[0])
        hidden = self._hidden_activations(windows.ids, shared)
        if len(windows.hidden) > _DENSE_SHARE * windows.hidden_of_pixel.numel():
            everywhere = _at_pixels(hidden, windows.ids_of_pixel)
            return partial(modulated, scale=gamma(everywhere), shift=beta(everywhere))
        scale, shift = _window_products(hidden, windows.hidden, gamma, beta)
        return partial(_modulated_by_window, scale=scale, shift=shift, window=windows.hidden_of_pixel)

    def _hidden_activations(self, ids: Tensor, shared: nn.Conv2d) -> Tensor:
        """(P, hidden channels), of windows of ids (P, T)."""
        return functional.relu(sum_of_columns(ids, columns_by_code(shared.weight, self._form)) + _bias(shared))

    def _windows_at(self, height: int, width: int, kernel_size: int) -> Windows:
        key = (height, width, kernel_size)
        if key not in self._windows:
            self._windows[key] = find_windows(resize_codes(self._codes, height, width), kernel_size)
        return self._windows[key]


def modulated(normalized: Tensor, *, scale: Tensor, shift: Tensor) -> Tensor:
    """(B, C, h, w), all of this shape: times 1 + scale plus shift."""
    return normalized * (1 + scale) + shift


def _modulated_by_window(normalized: Tensor, *, scale: Tensor, shift: Tensor, window: Tensor) -> Tensor:
    output: Tensor = _Modulated.apply(normalized, scale, shift, window)  # type: ignore[no-untyped-call]
    return output


class _Modulated(torch.autograd.Function):
    """`normalized` (B, C, h, w) times 1 + scale plus shift, rows of (U, C) by the window of each pixel (B, h, w).

    Backward gathers scales again rather than keep one for every pixel.
    """

    @staticmethod
    def forward(context: Any, normalized: Tensor, scale: Tensor, shift: Tensor, window: Tensor) -> Tensor:  # noqa: ANN401 - torch's
        factor = 1 + scale.to(normalized.dtype)
        context.save_for_backward(normalized, factor, window)
        context.table_dtype = scale.dtype
        shifts = _at_pixels(shift.to(normalized.dtype), window)
        return torch.addcmul(shifts, normalized, _at_pixels(factor, window))

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # noqa: ANN401
        normalized, factor, window = context.saved_tensors
        of_scale, of_shift = (
            torch.ops.aten.embedding_dense_backward(each.permute(0, 2, 3, 1), window, len(factor), -1, False)
            for each in (gradient * normalized, gradient)
        )
        dtype = context.table_dtype
        return _at_pixels(factor, window).mul_(gradient), of_scale.to(dtype), of_shift.to(dtype), None


def _at_pixels(table: Tensor, row_of_pixel: Tensor) -> Tensor:
    """(B, C, h, w), channels last in memory: rows of (N, C) by the row of each pixel (B, h, w)."""
    return functional.embedding(row_of_pixel, table).permute(0, 3, 1, 2)


def _window_products(hidden: Tensor, windows: Tensor, *convolutions: nn.Conv2d) -> list[Tensor]:
    """(U, C) of each convolution, k x k over the windows (U, T) of `hidden` (P, hidden channels)."""
    padded = functional.pad(hidden, (0, 0, 0, 1))  # outside the picture activations are zero
    taps = windows.shape[1]
    # (C, T, hidden): no copy where weights are channels last
    weights = [convolution.weight.permute(0, 2, 3, 1).flatten(1, 2) for convolution in convolutions]
    if len(padded) < _FACTOR_SHARE * len(windows):
        rows = windows * taps + torch.arange(taps, device=windows.device)
        products = [torch.einsum("ph,cth->ptc", padded, weight).flatten(0, 1) for weight in weights]
        sums = [functional.embedding_bag(rows, product, mode="sum") for product in products]
    else:
        flat = functional.embedding(windows, padded).flatten(1)
        sums = [flat @ weight.flatten(1).T for weight in weights]
    return [total + _bias(convolution) for total, convolution in zip(sums, convolutions, strict=True)]


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias
