"""The generator of pix2pixHD (Wang et al. 2018, arXiv 1711.11585, "global generator"), the baseline of the SPADE paper.

B batch, K semantic channels, H W pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from spade.errors import ConfigError
from spade.semantics_form import check_form, semantic_channels
from spade.spectral import spectral_norm


@dataclass(frozen=True, slots=True, kw_only=True)
class Pix2PixHDConfig:
    """Architecture of a pix2pixHD generator.

    Raises ConfigError: where a number is below its least value or a kernel size is even.
    """

    label_nc: int
    dont_care: bool
    instance_edges: bool
    output_channels: int = 3
    base_channels: int = 64
    downsamplings: int = 4
    blocks: int = 9
    kernel_size: int = 3
    initial_kernel_size: int = 7
    spectral_norm: bool = False

    def __post_init__(self) -> None:
        check_form(self, where="pix2pixHD")
        least = dict.fromkeys(("output_channels", "base_channels", "downsamplings"), 1) | {"blocks": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ConfigError(f"pix2pixHD: {name} is {getattr(self, name)}; it must be at least {value}")
        for name in ("kernel_size", "initial_kernel_size"):
            if getattr(self, name) < 1 or getattr(self, name) % 2 == 0:
                raise ConfigError(f"pix2pixHD: {name} is {getattr(self, name)}; it must be odd, and at least 1")

    @property
    def semantic_channels(self) -> int:
        """Channels K of the semantics."""
        return semantic_channels(self)


class ResidualBlock(nn.Module):
    """Two convolutions beside an identity."""

    def __init__(self, channels: int, config: Pix2PixHDConfig) -> None:
        super().__init__()
        self.padding = config.kernel_size // 2
        self.conv_0 = _normalized(nn.Conv2d(channels, channels, config.kernel_size, bias=False), config)
        self.conv_1 = _normalized(nn.Conv2d(channels, channels, config.kernel_size, bias=False), config)

    def forward(self, x: Tensor) -> Tensor:
        change = _norm_relu(self.conv_0(_reflect(x, self.padding)))
        change = functional.instance_norm(self.conv_1(_reflect(change, self.padding)))
        return x + change


class Pix2PixHDGenerator(nn.Module):
    """Down, residual blocks, up; the semantics enter only at the first convolution."""

    def __init__(self, config: Pix2PixHDConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.base_channels << level for level in range(config.downsamplings + 1)]
        side = config.initial_kernel_size
        self.start = _normalized(nn.Conv2d(config.semantic_channels, widths[0], side, bias=False), config)
        self.down = nn.ModuleList(
            _normalized(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False), config)
            for width in widths[:-1]
        )
        self.blocks = nn.ModuleList(ResidualBlock(widths[-1], config) for _ in range(config.blocks))
        self.up = nn.ModuleList(
            _normalized(
                nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1, bias=False), config
            )
            for width in reversed(widths[:-1])
        )
        self.to_image = nn.Conv2d(widths[0], config.output_channels, 7)

    def forward(self, semantics: Tensor) -> Tensor:
        """Pictures (B, output_channels, H, W) in [-1, 1] for semantics (B, K, H, W)."""
        x = _norm_relu(self.start(_reflect(semantics, self.config.initial_kernel_size // 2)))
        for convolution in self.down:
            x = _norm_relu(convolution(x))
        for block in self.blocks:
            x = block(x)
        for convolution in self.up:
            x = _norm_relu(convolution(x))
        return torch.tanh(self.to_image(_reflect(x, 3)))


def _normalized(convolution: nn.Conv2d | nn.ConvTranspose2d, config: Pix2PixHDConfig) -> nn.Conv2d | nn.ConvTranspose2d:
    return spectral_norm(convolution) if config.spectral_norm else convolution


def _norm_relu(x: Tensor) -> Tensor:
    return functional.relu(functional.instance_norm(x))


def _reflect(x: Tensor, padding: int) -> Tensor:
    return functional.pad(x, (padding,) * 4, mode="reflect")
