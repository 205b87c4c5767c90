"""The SPADE generator (arXiv 1903.07291, section 3.2), plain and readable: faster paths are held against this one.

B batch, C channels, K semantic channels, H W pixels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from spade.activations import leaky_relu
from spade.blocks import SpadeBlock
from spade.config import GeneratorConfig, Upsampling
from spade.errors import ConfigError
from spade.semantics import SparseSemantics


class SpadeGenerator(nn.Module):
    """Makes pictures from semantics, by seven (with `most`, eight) SPADE blocks with doublings between them."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        base = config.base_channels
        widest = 16 * base

        if config.latent_dim is None:
            self.start: nn.Module = nn.Conv2d(config.semantic_channels, widest, 3, padding=1)
        else:
            area = (config.height // config.size_multiple) * (config.width // config.size_multiple)
            self.start = nn.Linear(config.latent_dim, widest * area)

        self.head = SpadeBlock(widest, widest, config)
        self.middle_0 = SpadeBlock(widest, widest, config)
        self.middle_1 = SpadeBlock(widest, widest, config)
        self.up_0 = SpadeBlock(widest, 8 * base, config)
        self.up_1 = SpadeBlock(8 * base, 4 * base, config)
        self.up_2 = SpadeBlock(4 * base, 2 * base, config)
        self.up_3 = SpadeBlock(2 * base, base, config)
        last = base
        if config.upsampling is Upsampling.MOST:
            last = base // 2
            self.up_4 = SpadeBlock(base, last, config)
        self.to_image = nn.Conv2d(last, config.output_channels, 3, padding=1)

    def forward(self, semantics: Tensor | SparseSemantics, z: Tensor | None = None) -> Tensor:
        """Pictures (B, output_channels, H, W) in [-1, 1] for semantics (B, K, H, W) in either form.

        `z` (B, latent_dim), standard normal, is needed with a latent and refused without one.

        Raises ConfigError: where the shapes do not fit the architecture.
        """
        upsampling = self.config.upsampling
        x = self._first_features(semantics, z)

        # Coarse: composition.
        x = self.head(x, semantics)
        x = self.middle_0(_double(x), semantics)
        if upsampling is not Upsampling.NORMAL:
            x = _double(x)
        x = self.middle_1(x, semantics)

        # Fine: half the channels at each doubling.
        x = self.up_0(_double(x), semantics)
        x = self.up_1(_double(x), semantics)
        x = self.up_2(_double(x), semantics)
        x = self.up_3(_double(x), semantics)
        if upsampling is Upsampling.MOST:
            x = self.up_4(_double(x), semantics)

        # Colours.
        return torch.tanh(self.to_image(leaky_relu(x)) * self.config.output_multiplier)

    def _first_features(self, semantics: Tensor | SparseSemantics, z: Tensor | None) -> Tensor:
        """(B, 16 * base_channels, H / size_multiple, W / size_multiple), from the latent or else the semantics."""
        config = self.config
        batch, channels, height, width = semantics.shape
        config.check_size(height, width)
        if channels != config.semantic_channels:
            raise ConfigError(f"semantics have {channels} channels; this generator reads {config.semantic_channels}")
        small = (height // config.size_multiple, width // config.size_multiple)

        if config.latent_dim is None:
            if z is not None:
                raise ConfigError("a latent vector was given to a generator that has none")
            if isinstance(semantics, SparseSemantics):
                resized = semantics.dense(*small).to(self.to_image.weight.dtype)
            else:
                resized = functional.interpolate(semantics, size=small, mode="nearest")
            features: Tensor = self.start(resized)
            return features
        if z is None or z.shape != (batch, config.latent_dim):
            given = "none" if z is None else str(tuple(z.shape))
            raise ConfigError(f"latent vectors: {given} given; this generator needs ({batch}, {config.latent_dim})")
        flat: Tensor = self.start(z)
        return flat.view(batch, 16 * config.base_channels, *small)


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
