"""An iteration of training, ready to run, as the benchmarks time it."""

from collections.abc import Callable

import torch
from torch import nn

from spade.config import GeneratorConfig
from spade.discriminator import DiscriminatorConfig
from spade.training.networks import InitConfig, build_networks
from spade.training.objective import LossConfig
from spade.training.optimizers import OptimizerConfig, build_optimizers
from spade.training.step import StepConfig, TrainingStep


def training_step(
    config: GeneratorConfig,
    discriminator_channels: int,
    path: StepConfig,
    wrap: Callable[[nn.Module], nn.Module] = lambda module: module,
) -> TrainingStep:
    """A step of networks whose weights are the same at each call, without the perceptual loss.

    `wrap` is as in TrainingStep.
    """
    torch.manual_seed(0)
    discriminator = DiscriminatorConfig(
        in_channels=config.semantic_channels + config.output_channels, base_channels=discriminator_channels
    )
    networks = build_networks(config, discriminator, None, InitConfig())
    return TrainingStep(
        networks,
        build_optimizers(networks, OptimizerConfig()),
        semantics=config,
        losses=LossConfig(perceptual=0),
        config=path,
        wrap=wrap,
    )
