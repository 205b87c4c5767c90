"""Networks whose features stand for pictures in FID and KID, and whose features are compared like LPIPS.

B batch, D features, C channels, H W pixels.
"""

from typing import Protocol

import torch
from torch import Tensor

from spade.evaluation.inception import FEATURES, InceptionFeatures, Resize, to_inception_size
from spade.evaluation.segmenter import Segmenter, to_own_size


class FeatureSource(Protocol):
    """Where features come from."""

    dimension: int
    """D."""

    def __call__(self, pictures: Tensor) -> Tensor:
        """Features (B, D), float32, of pictures (B, 3, H, W) in [-1, 1]."""
        ...


class InceptionSource:
    """The published FID and KID."""

    dimension = FEATURES

    def __init__(self, network: InceptionFeatures, resize: Resize) -> None:
        self._network = network
        self._resize = resize

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Tensor:
        features: Tensor = self._network(to_inception_size(pictures, self._resize))
        return features


class SegmenterSource:
    """Means over the pixels of the two deepest stages of a segmenter: comparable only among equal weights of it."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.dimension = sum(segmenter.config.widths[-2:])
        self._segmenter = segmenter

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Tensor:
        stages = self._segmenter.stages(to_own_size(self._segmenter.config, pictures))
        return torch.cat([stage.mean(dim=(2, 3)) for stage in stages[-2:]], dim=1)


class SegmenterDistance:
    """As LPIPS, with the stages of a segmenter in place of a classifier and all channels weighed alike."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    @torch.inference_mode()
    def __call__(self, pictures: Tensor, others: Tensor) -> Tensor:
        """Distances (B,) of two batches (B, 3, H, W) in [-1, 1]."""
        sides = [self._segmenter.stages(to_own_size(self._segmenter.config, side)) for side in (pictures, others)]
        distances = [
            (torch.nn.functional.normalize(one) - torch.nn.functional.normalize(other)).square().sum(dim=1).mean((1, 2))
            for one, other in zip(*sides, strict=True)
        ]
        return torch.stack(distances).sum(dim=0)
