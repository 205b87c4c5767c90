"""What processes that train together exchange in a step, and what each computes meanwhile: counted, not timed.

The networks are built on torch's meta device, which knows shapes and no values. Counted is the plain network's step by
its definition; the fast path computes less.

B batch, K semantic channels, H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from spade.blocks import SpadeBlock
from spade.config import GeneratorConfig
from spade.discriminator import DiscriminatorConfig, MultiscaleDiscriminator
from spade.generator import SpadeGenerator
from spade.perceptual import VGG19Features
from spade.statistics import BatchStatistics

_BYTES_PER_FLOAT = 4
_BYTES_PER_BFLOAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFigures:
    """Of one step of one micro-batch; a multiply-add counts two operations."""

    generator_parameters: int
    discriminator_parameters: int
    gradient_bytes_float32: int
    gradient_bytes_bfloat16: int
    statistics_exchanges: int
    """Of joint batch statistics: one forward and one backward for each layer that has its own."""
    statistics_bytes: int
    """That a process sends in all of those."""
    operations_per_picture: int
    """Forward and backward of generator and discriminator, each once, and of the perceptual loss."""

    def ring_bytes(self, processes: int, gradient_bytes: int) -> float:
        """What each process sends when gradients are summed in a ring."""
        return 2 * (processes - 1) / processes * gradient_bytes


def count_exchange(config: GeneratorConfig) -> ExchangeFigures:
    """Count a step of the generator and the discriminator that is published with it.

    Spectral norm has no parameters and works once a step, not for each picture; it is left out.
    """
    with torch.device("meta"):
        generator = SpadeGenerator(replace(config, spectral_norm=False))
        discriminator = MultiscaleDiscriminator(
            DiscriminatorConfig(in_channels=config.semantic_channels + config.output_channels, spectral_norm=False)
        )
        features = VGG19Features().requires_grad_(False)
        semantics = torch.empty(1, config.semantic_channels, config.height, config.width)
        photograph = torch.empty(1, config.output_channels, config.height, config.width)
        latent = None if config.latent_dim is None else torch.empty(1, config.latent_dim)
        with FlopCounterMode(display=False) as counter:
            _step(generator, discriminator, features, semantics, photograph, latent)
    parameters = _parameters(generator), _parameters(discriminator)
    widths = _statistics_widths(generator)
    return ExchangeFigures(
        generator_parameters=parameters[0],
        discriminator_parameters=parameters[1],
        gradient_bytes_float32=_BYTES_PER_FLOAT * sum(parameters),
        gradient_bytes_bfloat16=_BYTES_PER_BFLOAT * sum(parameters),
        statistics_exchanges=2 * len(widths),
        # Forward mean and variance of each channel and the number of pixels, backward two sums of each channel.
        statistics_bytes=_BYTES_PER_FLOAT * sum(2 * width + 1 + 2 * width for width in widths),
        operations_per_picture=counter.get_total_flops(),
    )


def _step(
    generator: SpadeGenerator,
    discriminator: MultiscaleDiscriminator,
    features: VGG19Features,
    semantics: Tensor,
    photograph: Tensor,
    latent: Tensor | None,
) -> None:
    """Both lessons from one pass, as `TrainingStep` has them by default; losses whose values do not matter."""
    fake = generator(semantics, latent)
    judged = discriminator(semantics, torch.cat([fake, photograph]))
    lesson = _sum([layer for scale in judged for layer in scale])
    lesson.backward(inputs=list(discriminator.parameters()), retain_graph=True)
    with torch.no_grad():
        features(photograph)
    (lesson + _sum(features(fake))).backward(inputs=list(generator.parameters()))


def _sum(values: Sequence[Tensor]) -> Tensor:
    return torch.stack([value.mean() for value in values]).sum()


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _statistics_widths(generator: SpadeGenerator) -> list[int]:
    """Channels of every layer with joint statistics of its own: a learned skip shares those of the block's first."""
    blocks = [module for module in generator.modules() if isinstance(module, SpadeBlock)]
    layers = [norm.statistics for block in blocks for norm in (block.norm_0, block.norm_1)]
    return [layer.num_features for layer in layers if isinstance(layer, BatchStatistics) and layer.synchronized]
