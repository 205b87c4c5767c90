"""Small generators whose weights and statistics are anything but neutral."""

import torch

from spade.benchmarks.plain import latent_of, plain_pictures
from spade.config import GeneratorConfig
from spade.generator import SpadeGenerator


def settled_generator(**changes: object) -> SpadeGenerator:
    """A generator of the published form but few channels, or with `changes`, that has seen a few batches."""
    values: dict[str, object] = {
        "label_nc": 5,
        "dont_care": True,
        "instance_edges": True,
        "height": 64,
        "width": 64,
        "base_channels": 4,
        "hidden_channels": 8,
    }
    config = GeneratorConfig(**{**values, **changes})  # type: ignore[arg-type]
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
