"""Semantics as ids rather than one-hot tensors: SPADE layers get the same numbers for a fraction of the work.

The distinct windows of a label map are found once per resolution, and gamma and beta are computed once for each. The
mathematics are those of the dense form, gradients included; only the order of additions differs.

B batch, K semantic channels, C channels, h w pixels at a layer's resolution, T taps of the k x k kernel,
P distinct windows of ids, U distinct windows of hidden activations.
"""

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
        self, shared: nn.Conv2d, gamma: nn.Conv2d, beta: nn.Conv2d, height: int, width: int
    ) -> tuple[Tensor, Tensor]:
        """Gamma and beta, each (B, C, height, width), channels last in memory, as the dense form computes them."""
        windows = self._windows_at(height, width, shared.kernel_size[0])
        hidden = self._hidden_activations(windows.ids, shared)
        if len(windows.hidden) > _DENSE_SHARE * windows.hidden_of_pixel.numel():
            everywhere = functional.embedding(windows.ids_of_pixel, hidden).permute(0, 3, 1, 2)
            return gamma(everywhere), beta(everywhere)
        scale, shift = (
            functional.embedding(windows.hidden_of_pixel, table).permute(0, 3, 1, 2)
            for table in _window_products(hidden, windows.hidden, gamma, beta)
        )
        return scale, shift

    def _hidden_activations(self, ids: Tensor, shared: nn.Conv2d) -> Tensor:
        """(P, hidden channels), of windows of ids (P, T)."""
        return functional.relu(sum_of_columns(ids, columns_by_code(shared.weight, self._form)) + _bias(shared))

    def _windows_at(self, height: int, width: int, kernel_size: int) -> Windows:
        key = (height, width, kernel_size)
        if key not in self._windows:
            self._windows[key] = find_windows(resize_codes(self._codes, height, width), kernel_size)
        return self._windows[key]


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
