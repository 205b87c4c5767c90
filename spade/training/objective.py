"""The losses of one pass, from networks and a batch: which terms there are and what they weigh.

B batch, K semantic channels, H W pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from spade.discriminator import Features, scores, split
from spade.errors import ConfigError
from spade.losses import Objective, discriminator_losses, feature_matching_loss, generator_loss, kl_loss
from spade.perceptual import PerceptualLoss

Losses = dict[str, Tensor]
"""Weighted float32 scalars under the names that the published logs use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """The objective and the weights of its terms; a weight of zero leaves the term out.

    Raises ConfigError: where a weight is negative.
    """

    objective: Objective = Objective.HINGE
    feature_matching: float = 10.0
    perceptual: float = 10.0
    kl: float = 0.05
    """Of the KL term, which is a sum over the pictures it is given; in a run, those of a whole step. The published code
    averages the sums of its GPUs, so with n of them its weight means as much as weight / n here."""

    def __post_init__(self) -> None:
        for name in ("feature_matching", "perceptual", "kl"):
            if getattr(self, name) < 0:
                raise ConfigError(f"losses: weight {name} is {getattr(self, name)}; it must not be negative")


@dataclass(frozen=True, slots=True)
class Generated:
    """What the generator made of a batch; mean and log-variance of the latent where there is an encoder."""

    pictures: Tensor
    latent: tuple[Tensor, Tensor] | None


def losses_of_generator(
    config: LossConfig, generated: Generated, judged: Features, real: Tensor, perceptual: PerceptualLoss | None
) -> Losses:
    """The generator's losses; `judged` are the discriminator's features of generated, then of real pictures."""
    fake_features, real_features = split(judged)
    losses = {"GAN": generator_loss(config.objective, scores(fake_features))}
    if generated.latent is not None:
        losses["KLD"] = config.kl * kl_loss(*generated.latent)
    if config.feature_matching:
        losses["GAN_Feat"] = config.feature_matching * feature_matching_loss(fake_features, real_features)
    if perceptual is not None and config.perceptual:
        losses["VGG"] = config.perceptual * perceptual(generated.pictures, real)
    return losses


def losses_of_discriminator(config: LossConfig, judged: Features) -> Losses:
    """The discriminator's losses from its features of generated, then of real pictures."""
    fake_features, real_features = split(judged)
    on_fake, on_real = discriminator_losses(config.objective, scores(fake_features), scores(real_features))
    return {"D_Fake": on_fake, "D_real": on_real}


def total(losses: Losses) -> Tensor:
    """What is differentiated."""
    return torch.stack(list(losses.values())).sum()
