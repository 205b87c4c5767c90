"""Semantics: what a generator reads of a label map and an instance map, or of a picture in a label map's place.

B batch, K semantic channels, H W pixels.
"""

import torch
from torch import Tensor

from spade.errors import ConfigError
from spade.semantics_form import PICTURE_CHANNELS, SemanticsForm, reads_pictures


def semantics_from_labels(
    labels: Tensor, instances: Tensor | None, *, label_nc: int, dont_care: bool, instance_edges: bool
) -> Tensor:
    """One channel per class, then one for unknown pixels (`dont_care`), then one for borders (`instance_edges`).

    `labels` (B, H, W) integer ids 0..label_nc-1, and label_nc for unknown; `instances` (B, H, W) integer ids of which
    only equality counts, or None to take the borders between classes for those between instances.
    Returns (B, K, H, W) float32 of zeros and ones, with K = label_nc + dont_care + instance_edges.

    Raises ConfigError: where an id has no channel.
    """
    classes = label_nc + dont_care
    labels = labels.long()
    check_labels(labels, classes=classes)

    batch, height, width = labels.shape
    semantics = torch.zeros((batch, classes + instance_edges, height, width), device=labels.device)
    semantics.scatter_(1, labels.unsqueeze(1), 1.0)
    if instance_edges:
        semantics[:, -1] = edges_between(labels if instances is None else instances)
    return semantics


def dense_semantics(labels: Tensor, instances: Tensor | None, form: SemanticsForm) -> Tensor:
    """`semantics_from_labels` in the form that a generator's config has, (B, K, H, W) float32.

    Where the form has no classes, `labels` are pictures (B, 3, H, W) in [-1, 1], which are semantics as they are;
    borders between instances need instance maps then.

    Raises ConfigError: where an id has no channel, or what is given is not of the form.
    """
    if reads_pictures(form):
        return _semantics_from_pictures(labels, instances, instance_edges=form.instance_edges)
    return semantics_from_labels(
        labels, instances, label_nc=form.label_nc, dont_care=form.dont_care, instance_edges=form.instance_edges
    )


def _semantics_from_pictures(pictures: Tensor, instances: Tensor | None, *, instance_edges: bool) -> Tensor:
    if pictures.dim() != 4 or pictures.shape[1] != PICTURE_CHANNELS or not pictures.is_floating_point():
        raise ConfigError(
            f"input pictures: {pictures.dtype} {tuple(pictures.shape)} given; they must be floats (B, 3, H, W)"
        )
    if not instance_edges:
        return pictures
    if instances is None:
        raise ConfigError("input pictures: this model reads borders between instances too, so it needs instance maps")
    return torch.cat([pictures, edges_between(instances).unsqueeze(1)], dim=1)


def check_labels(labels: Tensor, *, classes: int) -> None:
    """Raises ConfigError: where an id is not from 0 to `classes` - 1."""
    low, high = (int(bound) for bound in labels.aminmax())
    if low < 0 or high >= classes:
        raise ConfigError(f"label map: id {low if low < 0 else high} is out of range; ids are 0 to {classes - 1}")


def edges_between(instances: Tensor) -> Tensor:
    """Marks pixels that differ from a neighbour above, below, left or right, so both sides of every border.

    `instances` (B, H, W) integers; returns (B, H, W) float32 of zeros and ones.
    """
    edges = torch.zeros_like(instances, dtype=torch.bool)
    beside = instances[:, :, 1:] != instances[:, :, :-1]
    edges[:, :, 1:] |= beside
    edges[:, :, :-1] |= beside
    below = instances[:, 1:] != instances[:, :-1]
    edges[:, 1:] |= below
    edges[:, :-1] |= below
    return edges.float()
