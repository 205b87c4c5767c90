"""Small generators whose weights and statistics are anything but neutral."""

import torch
from torch import Tensor

from spade.benchmarks.plain import latent_of, plain_pictures
from spade.config import GeneratorConfig
from spade.generator import SpadeGenerator


def small_config(**changes: object) -> GeneratorConfig:
    """Of the published form but few channels, or with `changes`."""
    values: dict[str, object] = {
        "label_nc": 5,
        "dont_care": True,
        "instance_edges": True,
        "height": 64,
        "width": 64,
        "base_channels": 4,
        "hidden_channels": 8,
    }
    return GeneratorConfig(**{**values, **changes})  # type: ignore[arg-type]


def settled_generator(**changes: object) -> SpadeGenerator:
    """A generator of `small_config` that has seen a few batches."""
    config = small_config(**changes)
    torch.manual_seed(3)
    generator = SpadeGenerator(config).train()
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.2)
        for _ in range(4):
            labels = torch.randint(config.label_nc, (2, config.height, config.width))
            plain_pictures(generator, labels, None, latent_of(config, 2))
    return generator.eval()


def coarse_maps(count: int) -> Tensor:
    """(count, 64, 64) ids of such generators in squares of 8 pixels, the same at each call."""
    torch.manual_seed(0)
    return torch.randint(6, (count, 8, 8)).repeat_interleave(8, 1).repeat_interleave(8, 2)
