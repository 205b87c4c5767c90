"""LPIPS: how different two pictures look to people (Zhang et al. 2018, arXiv 1801.03924, equation 1).

Features of a published classifier, of unit length at every pixel; their squared differences weighed by small layers
that were fitted to people's judgements (version 0.1).

B batch, C channels, H W pixels.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from spade.errors import ConfigError
from spade.weights import fit, read_tensors

SMALLEST_SIDE = 32
"""Below this, the deepest features of the networks would have no pixels."""


class Backbone(StrEnum):
    """Whose features are compared."""

    ALEX = "alex"  # AlexNet: the default of the LPIPS authors for judging
    VGG = "vgg"  # VGG16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """A published network as torchvision's `features` lays it out."""

    widths: tuple[int, ...]
    """Channels at the taps."""
    taps: tuple[int, ...]
    """Positions in `features` after which features are taken."""
    file: str
    """How torchvision calls the file of weights."""


LAYOUTS: Mapping[Backbone, _Layout] = MappingProxyType(
    {
        Backbone.ALEX: _Layout(
            widths=(64, 192, 384, 256, 256), taps=(1, 4, 7, 9, 11), file="AlexNet (alexnet-owt-*.pth)"
        ),
        Backbone.VGG: _Layout(widths=(64, 128, 256, 512, 512), taps=(3, 8, 15, 22, 29), file="VGG16 (vgg16-*.pth)"),
    }
)


class LPIPS(nn.Module):
    """The distance of pairs of pictures; 0 for equal ones."""

    shift: Tensor
    scale: Tensor

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.features = _alexnet() if backbone is Backbone.ALEX else _vgg16()
        self.taps = LAYOUTS[backbone].taps
        self.weigh = nn.ModuleList(nn.Conv2d(width, 1, 1, bias=False) for width in LAYOUTS[backbone].widths)
        # ImageNet's mean and deviation, for pictures in [-1, 1].
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor, others: Tensor) -> Tensor:
        """Distances (B,) of two batches (B, 3, H, W) in [-1, 1]. Raises ConfigError: where they are too small."""
        if min(pictures.shape[-2:]) < SMALLEST_SIDE:
            size = f"{pictures.shape[-1]}x{pictures.shape[-2]}"
            raise ConfigError(
                f"LPIPS: pictures of {size} pixels are too small; each side must be {SMALLEST_SIDE} or more"
            )
        pairs = zip(self._tapped(pictures), self._tapped(others), self.weigh, strict=True)
        distances = [weigh((_unit(one) - _unit(other)).square()).mean(dim=(1, 2, 3)) for one, other, weigh in pairs]
        return torch.stack(distances).sum(dim=0)

    def _tapped(self, pictures: Tensor) -> list[Tensor]:
        x = (pictures - self.shift) / self.scale
        tapped = []
        for position, layer in enumerate(self.features):
            x = layer(x)
            if position in self.taps:
                tapped.append(x)
        return tapped


def load_lpips(
    backbone: Backbone, features_file: str | os.PathLike[str], judgement_file: str | os.PathLike[str] | None = None
) -> LPIPS:
    """LPIPS from local files: a classifier in torchvision's layout, and the fitted layers of the LPIPS authors.

    Without `judgement_file` the layers that torchmetrics carries are taken; see `shipped_judgement`.

    Raises CheckpointError: where a file is missing, damaged, or not of this backbone.
    """
    network = LPIPS(backbone)
    layout = LAYOUTS[backbone]
    tensors = read_tensors(features_file)
    fit(network.features, _below(tensors, "features."), where=os.fspath(features_file), what=layout.file)
    judgement_file = judgement_file or shipped_judgement(backbone)
    layers = {
        name.replace("lin", "", 1).replace("model.1.", ""): one for name, one in read_tensors(judgement_file).items()
    }
    fit(network.weigh, layers, where=os.fspath(judgement_file), what=f"the LPIPS layers of {backbone}")
    return network.eval().requires_grad_(False)


def shipped_judgement(backbone: Backbone) -> Path:
    """The fitted layers, version 0.1, that the installed torchmetrics carries as a file."""
    return Path(str(files("torchmetrics"))) / "functional" / "image" / "lpips_models" / f"{backbone}.pth"


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _alexnet() -> nn.Sequential:
    """As far as its fifth convolution."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


def _vgg16() -> nn.Sequential:
    """As far as relu5_3."""
    layers: list[nn.Module] = []
    channels = 3
    blocks: Sequence[tuple[int, int]] = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
    for width, convolutions in blocks:
        if layers:
            layers.append(nn.MaxPool2d(2))
        for _ in range(convolutions):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


def _unit(features: Tensor) -> Tensor:
    """Of length 1 over the channels at every pixel."""
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
