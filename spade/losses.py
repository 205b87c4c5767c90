"""What the networks are trained on, each loss a function of tensors.

B batch, h w scores of patches. Losses are float32 scalars, also under autocast.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional


class Objective(StrEnum):
    """The adversarial objective."""

    HINGE = "hinge"
    LEAST_SQUARES = "ls"
    CROSS_ENTROPY = "original"
    WASSERSTEIN = "w"


def _least_squares(score: Tensor, target: float) -> Tensor:
    return functional.mse_loss(score, torch.full_like(score, target))


def _cross_entropy(score: Tensor, target: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(score, torch.full_like(score, target))


@dataclass(frozen=True, slots=True)
class _Terms:
    """The losses of one scale: of the discriminator on real and on generated pictures, and of the generator."""

    real: Callable[[Tensor], Tensor]
    fake: Callable[[Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


_OBJECTIVES = {
    # Lim and Ye 2017, arXiv 1705.02894
    Objective.HINGE: _Terms(
        real=lambda score: functional.relu(1 - score).mean(),
        fake=lambda score: functional.relu(1 + score).mean(),
        generator=lambda score: -score.mean(),
    ),
    # Mao et al. 2017, arXiv 1611.04076
    Objective.LEAST_SQUARES: _Terms(
        real=lambda score: _least_squares(score, 1.0),
        fake=lambda score: _least_squares(score, 0.0),
        generator=lambda score: _least_squares(score, 1.0),
    ),
    # Goodfellow et al. 2014, arXiv 1406.2661
    Objective.CROSS_ENTROPY: _Terms(
        real=lambda score: _cross_entropy(score, 1.0),
        fake=lambda score: _cross_entropy(score, 0.0),
        generator=lambda score: _cross_entropy(score, 1.0),
    ),
    # Arjovsky et al. 2017, arXiv 1701.07875
    Objective.WASSERSTEIN: _Terms(
        real=lambda score: -score.mean(),
        fake=lambda score: score.mean(),
        generator=lambda score: -score.mean(),
    ),
}


def discriminator_losses(objective: Objective, fake: Sequence[Tensor], real: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Losses on generated and on real pictures; scores (B, 1, h, w) by scale, over which the mean is taken."""
    terms = _OBJECTIVES[objective]
    return _mean(terms.fake(score.float()) for score in fake), _mean(terms.real(score.float()) for score in real)


def generator_loss(objective: Objective, fake: Sequence[Tensor]) -> Tensor:
    """The generator's adversarial loss from the scores (B, 1, h, w) of its pictures, by scale."""
    return _mean(_OBJECTIVES[objective].generator(score.float()) for score in fake)


def feature_matching_loss(fake: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]) -> Tensor:
    """L1 distance of the discriminator's features, scores excepted; summed over layers, mean over scales."""
    by_scale = []
    for fake_scale, real_scale in zip(fake, real, strict=True):
        layers = zip(fake_scale[:-1], real_scale[:-1], strict=True)
        distances = [functional.l1_loss(ours.float(), target.detach().float()) for ours, target in layers]
        by_scale.append(torch.stack(distances).sum())
    return _mean(by_scale)


def kl_loss(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of N(mean, exp(log_variance)) from N(0, 1), (B, D) each; *summed* over the batch, as published."""
    mean, log_variance = mean.float(), log_variance.float()
    return -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())


def _mean(losses: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(losses)).mean()
