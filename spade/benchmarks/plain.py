"""The plain generator as the engine's benchmarks use it: what they are held against.

B batch, H W pixels.
"""

from typing import Final

import torch
from torch import Tensor

from spade.config import GeneratorConfig
from spade.generator import SpadeGenerator
from spade.labels import dense_semantics

_CONTRAST: Final = 0.5
"""Standard deviation of pictures before tanh, as trained networks have about."""


def settled_generator(config: GeneratorConfig) -> SpadeGenerator:
    """An untrained generator in evaluation mode whose pictures have contrast, the same at each call.

    A few passes of training let spectral norm and batch statistics settle.
    """
    torch.manual_seed(0)
    generator = SpadeGenerator(config).train()
    labels = torch.randint(config.label_nc, (2, config.height // 4, config.width // 4)).repeat_interleave(4, 1)
    labels = labels.repeat_interleave(4, 2)
    z = latent_of(config, 2)
    before_tanh: list[Tensor] = []
    hook = generator.to_image.register_forward_hook(lambda _module, _inputs, output: before_tanh.append(output))
    with torch.no_grad():
        for _ in range(3):
            plain_pictures(generator, labels, None, z)
        hook.remove()
        generator.to_image.weight *= _CONTRAST / before_tanh[-1].std()
    return generator.eval()


@torch.no_grad()
def plain_pictures(generator: SpadeGenerator, labels: Tensor, instances: Tensor | None, z: Tensor | None) -> Tensor:
    """What the plain network makes, from label maps (B, H, W) as the engine takes them."""
    pictures: Tensor = generator(dense_semantics(labels, instances, generator.config), z)
    return pictures


def latent_of(config: GeneratorConfig, count: int = 1) -> Tensor | None:
    """Latents (count, latent_dim), where the generator has any."""
    return None if config.latent_dim is None else torch.randn(count, config.latent_dim)
