"""A small segmenter: says of every pixel of a photograph which class it is. Used to score generated pictures.

A residual U-Net (Ronneberger et al. 2015, arXiv 1505.04597; He et al. 2015, arXiv 1512.03385) that is quick on a CPU:
it starts at half the resolution, and its decoder adds what it brings up to what the encoder had, rather than
concatenating.

B batch, K classes, C channels, H W pixels, S stages.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from spade.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterConfig:
    """Architecture of a segmenter, and what its classes are.

    Raises ConfigError: where values are out of range.
    """

    classes: int
    """Ids 0..classes-1 are told apart."""
    ignored_id: int | None
    """The id of label maps that means unknown and is neither learnt nor scored; None where there is none."""
    height: int
    width: int
    """Size in pixels at which it was trained, and to which pictures are brought."""
    class_names: tuple[str, ...] = ()
    base_channels: int = 16
    """Channels at half the resolution; the deeper stages have 2, 4, 8 and 12 times as many."""

    def __post_init__(self) -> None:
        for name in ("classes", "height", "width", "base_channels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"segmenter: {name} is {getattr(self, name)}; it must be at least 1")
        if min(self.height, self.width) < SMALLEST_SIDE:
            raise ConfigError(f"segmenter: size {self.width}x{self.height}; each side must be {SMALLEST_SIDE} or more")
        if self.class_names and len(self.class_names) != self.classes:
            raise ConfigError(f"segmenter: {len(self.class_names)} class_names for {self.classes} classes")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the stages, from half to 1/32 of the resolution."""
        return tuple(factor * self.base_channels for factor in (1, 2, 4, 8, 12))

    def name_of(self, class_id: int) -> str:
        """The name of a class, or its id where names are not known."""
        return self.class_names[class_id] if self.class_names else str(class_id)


SMALLEST_SIDE = 32
BLOCKS_PER_STAGE = (1, 2, 2, 2)


class Segmenter(nn.Module):
    """Classes of pixels from a picture of any size from 32x32."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.stem = ConvolutionNormRelu(3, widths[0], stride=2)
        self.encoder = nn.ModuleList(
            nn.Sequential(
                ResidualBlock(shallow, deep, stride=2), *(ResidualBlock(deep, deep) for _ in range(1, blocks))
            )
            for (shallow, deep), blocks in zip(pairwise(widths), BLOCKS_PER_STAGE, strict=True)
        )
        # From the deepest up.
        upwards = list(pairwise(reversed(widths)))
        self.narrow = nn.ModuleList(nn.Conv2d(deep, shallow, 1, bias=False) for deep, shallow in upwards)
        self.bridge = nn.ModuleList(nn.Conv2d(shallow, shallow, 1, bias=False) for _, shallow in upwards)
        self.merge = nn.ModuleList(ConvolutionNormRelu(shallow, shallow) for _, shallow in upwards)
        self.classify = nn.Conv2d(widths[0], config.classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores (B, K, H, W), of which the largest is the class, for pictures (B, 3, H, W) in [-1, 1]."""
        *shallower, x = self.stages(pictures)
        for narrow, bridge, merge, encoded in zip(
            self.narrow, self.bridge, self.merge, reversed(shallower), strict=True
        ):
            x = merge(_resize(narrow(x), encoded) + bridge(encoded))
        # As whole planes, on which the resize and the loss are quicker than on interleaved channels.
        return _resize(self.classify(x).contiguous(), pictures)

    def stages(self, pictures: Tensor) -> list[Tensor]:
        """What the encoder makes of pictures (B, 3, H, W) at 1/2, 1/4, 1/8, 1/16 and 1/32 of their resolution."""
        features = [self.stem(pictures)]
        for stage in self.encoder:
            features.append(stage(features[-1]))
        return features


class ConvolutionNormRelu(nn.Module):
    """A 3x3 convolution with batch normalization and ReLU."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(self.convolution(x)))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, added to their input or, where the shape changes, to a 1x1 convolution of it."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int = 1) -> None:
        super().__init__()
        self.first = ConvolutionNormRelu(channels_in, channels_out, stride=stride)
        self.second = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)
        self.stride = stride
        self.shortcut: nn.Module = nn.Identity()
        if channels_in != channels_out or stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        # Every other pixel by hand rather than by a stride of the 1x1 convolution: of fewer than 8 channels in the
        # channels-last layout, torch 2.13 writes past its memory in the backward pass of such a convolution.
        beside = self.shortcut(x[..., :: self.stride, :: self.stride])
        return functional.relu(self.norm(self.second(self.first(x))) + beside)


def predict(segmenter: Segmenter, pictures: Tensor) -> Tensor:
    """Class ids (B, H, W), int64, of pictures (B, 3, H, W) in [-1, 1] of any size.

    Pictures of another size than the segmenter's own are brought to it, and its scores back to theirs.
    """
    config = segmenter.config
    with torch.inference_mode():
        scores = segmenter(to_own_size(config, pictures))
        return _resize(scores, pictures).argmax(dim=1)


def to_own_size(config: SegmenterConfig, pictures: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) at the segmenter's size, by an antialiased bilinear filter."""
    size = (config.height, config.width)
    if pictures.shape[-2:] == size:
        return pictures
    return functional.interpolate(pictures, size=size, mode="bilinear", align_corners=False, antialias=True)


def _resize(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
