"""Small generators whose weights and statistics are anything but neutral, and what the plain network makes of maps."""

import torch
from torch import Tensor

from spade.config import GeneratorConfig
from spade.generator import SpadeGenerator
from spade.labels import semantics_from_labels


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
            z = None if config.latent_dim is None else torch.randn(2, config.latent_dim)
            plain_pictures(generator, labels, z=z)
    return generator.eval()


@torch.no_grad()
def plain_pictures(
    generator: SpadeGenerator, labels: Tensor, instances: Tensor | None = None, z: Tensor | None = None
) -> Tensor:
    """What the plain network makes of label maps (B, H, W)."""
    form = generator.config
    semantics = semantics_from_labels(
        labels, instances, label_nc=form.label_nc, dont_care=form.dont_care, instance_edges=form.instance_edges
    )
    pictures: Tensor = generator(semantics, z)
    return pictures
