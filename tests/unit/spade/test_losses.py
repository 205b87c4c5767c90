import math

import pytest
import torch

from spade.losses import Objective, discriminator_losses, feature_matching_loss, generator_loss, kl_loss


def scores(*values: float) -> list[torch.Tensor]:
    """One scale a value, each of its scores being that value."""
    return [torch.full((2, 1, 3, 3), value) for value in values]


@pytest.mark.parametrize(
    ("objective", "on_fake", "on_real", "of_generator"),
    [
        (Objective.HINGE, (1.5 + 0) / 2, (1.5 + 0) / 2, -(0.5 - 2) / 2),
        (Objective.LEAST_SQUARES, (0.25 + 4) / 2, (2.25 + 1) / 2, (0.25 + 9) / 2),
        (Objective.WASSERSTEIN, (0.5 - 2) / 2, -(-0.5 + 2) / 2, -(0.5 - 2) / 2),
    ],
)
def test_objectives_are_means_over_scales(
    objective: Objective, on_fake: float, on_real: float, of_generator: float
) -> None:
    fake, real = discriminator_losses(objective, scores(0.5, -2), scores(-0.5, 2))
    assert (fake.item(), real.item()) == pytest.approx((on_fake, on_real))
    assert generator_loss(objective, scores(0.5, -2)).item() == pytest.approx(of_generator)


def test_cross_entropy_is_that_of_a_logistic_unit() -> None:
    fake, real = discriminator_losses(Objective.CROSS_ENTROPY, scores(0.5), scores(2.0))
    assert fake.item() == pytest.approx(math.log(1 + math.exp(0.5)))
    assert real.item() == pytest.approx(math.log(1 + math.exp(-2.0)))
    assert generator_loss(Objective.CROSS_ENTROPY, scores(0.5)).item() == pytest.approx(math.log(1 + math.exp(-0.5)))


def test_feature_matching_sums_layers_averages_scales_and_leaves_the_scores_out() -> None:
    fake = [[torch.zeros(1, 2), torch.zeros(1, 3), torch.full((1, 1), 9.0)] for _ in range(2)]
    real = [[torch.full((1, 2), scale), torch.full((1, 3), 2 * scale), torch.zeros(1, 1)] for scale in (1.0, 3.0)]
    assert feature_matching_loss(fake, real).item() == pytest.approx((3 + 9) / 2)


def test_feature_matching_moves_only_the_generated_side() -> None:
    fake, real = torch.zeros(1, 2, requires_grad=True), torch.ones(1, 2, requires_grad=True)
    feature_matching_loss([[fake, fake]], [[real, real]]).backward()
    assert fake.grad is not None
    assert real.grad is None


def test_the_kl_term_is_summed_and_zero_for_a_standard_normal() -> None:
    assert kl_loss(torch.zeros(4, 8), torch.zeros(4, 8)).item() == 0
    assert kl_loss(torch.full((4, 8), 2.0), torch.zeros(4, 8)).item() == pytest.approx(0.5 * 4 * 8 * 4)


def test_losses_of_half_precision_scores_are_float32() -> None:
    half = [torch.zeros(1, 1, 2, 2, dtype=torch.bfloat16)]
    assert generator_loss(Objective.HINGE, half).dtype == torch.float32
