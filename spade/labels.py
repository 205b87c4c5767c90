"""Semantics: what a generator reads of a label map and an instance map.

B batch, K semantic channels, H W pixels.
"""

import torch
from torch import Tensor

from spade.config import GeneratorConfig
from spade.errors import ConfigError


def semantics_from_labels(labels: Tensor, instances: Tensor | None, config: GeneratorConfig) -> Tensor:
    """One channel per class, then one for unknown pixels, then one for instance edges, as `config` has them.

    `labels` (B, H, W) integer ids 0..label_nc-1, and label_nc for unknown; `instances` (B, H, W) integer ids of which
    only equality counts, or None to take the borders between classes as edges.
    Returns (B, K, H, W) float32 of zeros and ones.

    Raises ConfigError: where an id has no channel.
    """
    channels = config.label_nc + config.dont_care
    labels = labels.long()
    low, high = (int(bound) for bound in labels.aminmax())
    if low < 0 or high >= channels:
        raise ConfigError(f"label map: id {low if low < 0 else high} is out of range; ids are 0 to {channels - 1}")

    batch, height, width = labels.shape
    semantics = torch.zeros((batch, config.semantic_channels, height, width), device=labels.device)
    semantics.scatter_(1, labels.unsqueeze(1), 1.0)
    if config.instance_edges:
        semantics[:, -1] = instance_edges(labels if instances is None else instances)
    return semantics


def instance_edges(instances: Tensor) -> Tensor:
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
