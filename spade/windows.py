"""The windows of label maps that modulation depends on, each distinct one found once.

Scale and shift of a SPADE layer depend on a small window of the label map and on nothing else: a k x k window of hidden
activations, each made from a k x k window of ids. In a real map most windows repeat.

B batch, h w pixels at a layer's resolution, T taps of the k x k kernel, K semantic channels, O channels out, P
distinct windows of ids, U distinct windows of hidden activations.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from spade.labels import check_labels, edges_between
from spade.semantics_form import SemanticsForm, require_classes

OUTSIDE = 0
"""The code of what lies outside the picture, where semantics are zero."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a batch of label maps at one resolution."""

    ids: Tensor
    """(P, T) codes of the distinct windows of ids."""
    ids_of_pixel: Tensor
    """(B, h, w) rows of `ids`."""
    hidden: Tensor
    """(U, T) rows of `ids`, with P for outside the picture: the distinct windows of hidden activations."""
    hidden_of_pixel: Tensor
    """(B, h, w) rows of `hidden`."""

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        return sum(part.nbytes for part in (self.ids, self.ids_of_pixel, self.hidden, self.hidden_of_pixel))


def codes_of_labels(labels: Tensor, instances: Tensor | None, form: SemanticsForm) -> Tensor:
    """(B, H, W) int64 codes 1 + 2 * class + edge, of labels and instances as `semantics_from_labels` takes them.

    Raises ConfigError: where an id has no channel, or there are no classes.
    """
    require_classes(form, "windows of label maps")
    labels = labels.long()
    check_labels(labels, classes=form.label_nc + form.dont_care)
    codes = 1 + 2 * labels
    if form.instance_edges:
        codes += edges_between(labels if instances is None else instances).long()
    return codes


def resize_codes(codes: Tensor, height: int, width: int) -> Tensor:
    """(B, height, width), by nearest neighbour; the size of `codes` is a multiple of that."""
    return codes[:, :: codes.shape[1] // height, :: codes.shape[2] // width]


@torch.no_grad()
def find_windows(codes: Tensor, kernel_size: int) -> Windows:
    """The distinct windows of `codes` (B, h, w), integers above 0."""
    ids, ids_of_pixel = _distinct_windows(codes, kernel_size, outside=OUTSIDE, values=int(codes.max()) + 1)
    hidden, hidden_of_pixel = _distinct_windows(ids_of_pixel, kernel_size, outside=len(ids), values=len(ids) + 1)
    return Windows(ids=ids, ids_of_pixel=ids_of_pixel, hidden=hidden, hidden_of_pixel=hidden_of_pixel)


def columns_by_code(weight: Tensor, form: SemanticsForm) -> Tensor:
    """(T, codes, O): what a pixel of each code adds at each tap of a convolution (O, K, k, k) over semantics."""
    by_channel = weight.flatten(2).permute(2, 1, 0)  # (T, K, O)
    without_edge = by_channel[:, : form.label_nc + form.dont_care]
    with_edge = without_edge + by_channel[:, -1:] if form.instance_edges else without_edge
    columns = torch.stack([without_edge, with_edge], dim=2).flatten(1, 2)
    return functional.pad(columns, (0, 0, 1, 0))  # OUTSIDE, in front, adds nothing


def sum_of_columns(ids: Tensor, columns: Tensor) -> Tensor:
    """(P, O) for windows (P, T) of codes: a convolution over one-hot semantics is a sum of one column for each tap.

    `columns` (T, codes, O) are those of `columns_by_code`.
    """
    taps, codes, _ = columns.shape
    rows = ids + codes * torch.arange(taps, device=ids.device)
    return functional.embedding_bag(rows, columns.flatten(0, 1), mode="sum")


def _distinct_windows(values_at: Tensor, kernel_size: int, *, outside: int, values: int) -> tuple[Tensor, Tensor]:
    """Distinct k x k windows (N, T) of (B, h, w) integers below `values`, and the window of each pixel (B, h, w)."""
    radius = kernel_size // 2
    _, height, width = values_at.shape
    padded = functional.pad(values_at, (radius,) * 4, value=outside)
    taps = [
        padded[:, row : row + height, column : column + width].reshape(-1)
        for row in range(kernel_size)
        for column in range(kernel_size)
    ]
    # One integer that tells windows apart: digits in base `values`, renumbered whenever 63 bits would not do.
    key, span = taps[0], values
    for tap in taps[1:]:
        if span * values >= 2**63:
            distinct, key = torch.unique(key, return_inverse=True)
            span = len(distinct)
        key, span = key * values + tap, span * values
    distinct, window_of_pixel = torch.unique(key, return_inverse=True)
    pixel = torch.empty_like(distinct).scatter_(0, window_of_pixel, torch.arange(len(key), device=key.device))
    return torch.stack([tap[pixel] for tap in taps], dim=1), window_of_pixel.view(values_at.shape)
