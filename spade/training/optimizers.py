"""Adam for the two players, and the learning rate over epochs."""

from dataclasses import dataclass

import torch

from spade.errors import ConfigError
from spade.training.networks import Networks


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """Adam (Kingma and Ba 2015) with two time scales (Heusel et al. 2017): half the rate for G, twice for D.

    Raises ConfigError: where a value is out of range.
    """

    learning_rate: float = 2e-4
    two_time_scales: bool = True
    """Without, both players learn at `learning_rate`, and betas that are not given are 0.5 and 0.999 in a run."""
    beta1: float = 0.0
    beta2: float = 0.9

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ConfigError(f"optimizer: learning_rate is {self.learning_rate}; it must be above 0")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise ConfigError(f"optimizer: betas are {self.beta1} and {self.beta2}; they must be from 0 to below 1")

    @property
    def generator_rate(self) -> float:
        return self.learning_rate / 2 if self.two_time_scales else self.learning_rate

    @property
    def discriminator_rate(self) -> float:
        return self.learning_rate * 2 if self.two_time_scales else self.learning_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """Epochs at the full learning rate, then epochs over which it falls to zero in a line.

    Raises ConfigError: where there is no epoch at all.
    """

    epochs: int = 50
    decay_epochs: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.decay_epochs < 0 or self.total == 0:
            raise ConfigError(f"schedule: epochs {self.epochs} + {self.decay_epochs}; there must be at least 1 in all")

    @property
    def total(self) -> int:
        return self.epochs + self.decay_epochs

    def share(self, epoch: int) -> float:
        """Share of the learning rate in `epoch`, counted from 1: the last epoch runs at 1 / decay_epochs of it."""
        if epoch <= self.epochs + 1 or self.decay_epochs == 0:
            return 1.0
        return max(0.0, 1 - (epoch - self.epochs - 1) / self.decay_epochs)


@dataclass(frozen=True, slots=True)
class Optimizers:
    """One optimizer for generator and encoder, one for the discriminator."""

    generator: torch.optim.Adam
    discriminator: torch.optim.Adam

    def set_share(self, config: OptimizerConfig, share: float) -> None:
        """Set both learning rates to `share` of their full values."""
        for optimizer, rate in (
            (self.generator, config.generator_rate),
            (self.discriminator, config.discriminator_rate),
        ):
            for group in optimizer.param_groups:
                group["lr"] = rate * share


def build_optimizers(networks: Networks, config: OptimizerConfig) -> Optimizers:
    """Fresh optimizers for `networks`."""
    betas = (config.beta1, config.beta2)
    return Optimizers(
        generator=torch.optim.Adam(networks.generator_parameters(), lr=config.generator_rate, betas=betas),
        discriminator=torch.optim.Adam(networks.discriminator.parameters(), lr=config.discriminator_rate, betas=betas),
    )
