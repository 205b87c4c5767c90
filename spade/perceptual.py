"""The perceptual loss: distance of features of VGG19 (Simonyan and Zisserman 2015; Johnson et al. 2016).

B batch, H W pixels.
"""

import os

import torch
from torch import Tensor, nn
from torch.nn import functional

from spade.weights import fit, read_tensors

_WIDTHS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, 256, "pool", 512, 512, 512, 512, "pool", 512)
"""VGG19 as far as its layer relu5_1."""
_TAPS = (1, 6, 11, 20, 29)
"""Positions of relu1_1 to relu5_1, counted as in torchvision's `features`."""
_TAP_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


class VGG19Features(nn.Module):
    """VGG19's outputs at relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1, under torchvision's tensor names."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in _WIDTHS:
            if isinstance(width, str):
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        self.features = nn.Sequential(*layers)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Takes (B, 3, H, W)."""
        taps = []
        x = pictures
        for position, layer in enumerate(self.features):
            x = layer(x)
            if position in _TAPS:
                taps.append(x)
        return taps


class PerceptualLoss(nn.Module):
    """Weighted L1 distance of VGG19 features, which stay as they are. Pictures go in as they are too, in [-1, 1]."""

    def __init__(self, features: VGG19Features) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """A float32 scalar for two batches (B, 3, H, W); gradients flow into `fake` alone."""
        with torch.no_grad():
            targets = self.features(real)
        distances = [
            weight * functional.l1_loss(ours.float(), target.float())
            for weight, ours, target in zip(_TAP_WEIGHTS, self.features(fake), targets, strict=True)
        ]
        return torch.stack(distances).sum()


def load_vgg19(path: str | os.PathLike[str]) -> VGG19Features:
    """VGG19 from a local file in torchvision's layout (`vgg19-*.pth`), without its classifier; downloads nothing.

    Raises CheckpointError: where the file is missing, is not such a file, or lacks a tensor.
    """
    network = VGG19Features()
    fit(network, read_tensors(path), where=os.fspath(path), what="VGG19 (vgg19-*.pth)")
    return network
