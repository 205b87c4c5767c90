"""Discriminators: patch-wise judges at several scales (Isola et al. 2017; Wang et al. 2018, arXiv 1711.11585).

B batch, K semantic channels, H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from spade.activations import leaky_relu
from spade.errors import ConfigError
from spade.spectral import spectral_norm

Features = list[list[Tensor]]
"""By scale, full resolution first, the output of every layer; the last one holds the scores."""

_MOST_CHANNELS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscriminatorConfig:
    """Architecture of a multi-scale patch discriminator, normalized by instances as all published ones are.

    Raises ConfigError: where a number is below its least value.
    """

    in_channels: int
    """Semantic channels plus those of the picture."""
    base_channels: int = 64
    layers: int = 4
    """Convolutions before the one that scores."""
    scales: int = 2
    spectral_norm: bool = True

    def __post_init__(self) -> None:
        for name, least in (("in_channels", 1), ("base_channels", 1), ("layers", 2), ("scales", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"discriminator: {name} is {getattr(self, name)}; it must be at least {least}")


class PatchDiscriminator(nn.Module):
    """Scores overlapping patches. Normalized layers have no bias: the instance norm behind them would remove it."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        widths = [min(config.base_channels << layer, _MOST_CHANNELS) for layer in range(config.layers)]
        first = nn.Conv2d(config.in_channels, widths[0], 4, stride=2, padding=2)
        between = []
        for layer, (channels_in, channels_out) in enumerate(pairwise(widths), start=1):
            stride = 1 if layer == config.layers - 1 else 2
            convolution = nn.Conv2d(channels_in, channels_out, 4, stride=stride, padding=2, bias=False)
            between.append(spectral_norm(convolution) if config.spectral_norm else convolution)
        last = nn.Conv2d(widths[-1], 1, 4, stride=1, padding=2)
        self.convolutions = nn.ModuleList([first, *between, last])

    def forward(self, semantics: Tensor, pictures: Tensor) -> list[Tensor]:
        """Takes semantics (B, K, H, W) and n * B pictures (n * B, 3, H, W), n of them for each map in turn.

        Returns the output of every layer for the n * B pictures, the scores (n * B, 1, h, w) last.
        """
        first, *between, last = self.convolutions
        features = [leaky_relu(_convolve_both(first, semantics, pictures))]
        for convolution in between:
            features.append(leaky_relu(functional.instance_norm(convolution(features[-1]))))
        features.append(last(features[-1]))
        return features


class MultiscaleDiscriminator(nn.Module):
    """The same judge at the picture's resolution, half of it, and so on."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.scales = nn.ModuleList(PatchDiscriminator(config) for _ in range(config.scales))

    def forward(self, semantics: Tensor, pictures: Tensor) -> Features:
        """Judges n * B pictures (n * B, 3, H, W) in [-1, 1] against B semantics (B, K, H, W), repeated n times."""
        features = []
        for discriminator in self.scales:
            features.append(discriminator(semantics, pictures))
            semantics, pictures = _halve(semantics), _halve(pictures)
        return features


def _convolve_both(convolution: nn.Module, semantics: Tensor, pictures: Tensor) -> Tensor:
    """A convolution over semantics and pictures side by side, the semantics' share computed once for all pictures."""
    assert isinstance(convolution, nn.Conv2d)
    if len(semantics) == len(pictures):
        side_by_side: Tensor = convolution(torch.cat([semantics, pictures], dim=1))
        return side_by_side
    channels = semantics.shape[1]
    stride, padding = convolution.stride, convolution.padding
    of_semantics = functional.conv2d(semantics, convolution.weight[:, :channels], None, stride, padding)
    of_pictures = functional.conv2d(pictures, convolution.weight[:, channels:], convolution.bias, stride, padding)
    return of_pictures + of_semantics.repeat(len(pictures) // len(semantics), 1, 1, 1)


def _halve(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


def scores(features: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """The scores of each scale, (B, 1, h, w)."""
    return [scale[-1] for scale in features]


def split(features: Features) -> tuple[Features, Features]:
    """What belongs to the first and to the second half of a batch that was judged in one pass."""
    halves = [[layer.chunk(2) for layer in scale] for scale in features]
    return [[first for first, _ in scale] for scale in halves], [[second for _, second in scale] for scale in halves]
