import numpy as np
import pytest
import torch
from torch import Tensor

from spade.errors import ConfigError
from spade.evaluation.frechet import FeatureStatistics, frechet_distance


def statistics_of(features: Tensor, batch: int = 7) -> FeatureStatistics:
    statistics = FeatureStatistics(features.shape[1])
    for part in features.split(batch):
        statistics.update(part)
    return statistics


def drawn(count: int, dimension: int, seed: int, shift: float = 0.0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    mix = torch.rand(dimension, dimension, generator=random, dtype=torch.float64)
    return torch.randn(count, dimension, generator=random, dtype=torch.float64) @ mix + shift


def with_moments(mean: Tensor, covariance: Tensor) -> FeatureStatistics:
    """Of a large sample that has exactly these moments."""
    samples = torch.randn(500, len(mean), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    samples -= samples.mean(dim=0)
    white = samples @ torch.linalg.inv(torch.linalg.cholesky(samples.T.cov())).T
    return statistics_of(white @ torch.linalg.cholesky(covariance).T + mean)


def test_mean_and_covariance_are_numpys_however_the_batches_fall() -> None:
    features = drawn(50, 4, seed=1, shift=1e4)
    for batch in (1, 7, 50):
        statistics = statistics_of(features, batch)
        np.testing.assert_allclose(statistics.mean, features.numpy().mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(statistics.covariance, np.cov(features.numpy().T), rtol=1e-9)


def test_of_normal_distributions_with_diagonal_covariances_it_is_the_closed_form() -> None:
    means = torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, 0.5]], dtype=torch.float64)
    variances = torch.tensor([[4.0, 1.0, 0.25], [1.0, 9.0, 0.25]], dtype=torch.float64)
    one, other = (with_moments(mean, variance.diag()) for mean, variance in zip(means, variances, strict=True))
    expected = 1 + 9 + (2 - 1) ** 2 + (1 - 3) ** 2
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)


def test_of_covariances_that_do_not_commute_it_is_the_trace_of_the_root_of_their_product() -> None:
    one, other = drawn(400, 6, seed=2), drawn(300, 6, seed=3, shift=0.3)
    means = one.numpy().mean(axis=0) - other.numpy().mean(axis=0)
    covariances = np.cov(one.numpy().T), np.cov(other.numpy().T)
    root = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).astype(complex)).real.sum()
    expected = means @ means + np.trace(covariances[0] + covariances[1]) - 2 * root
    assert frechet_distance(statistics_of(one), statistics_of(other)) == pytest.approx(expected, rel=1e-9)


def test_fewer_pictures_than_features_lose_no_digits() -> None:
    one, other = drawn(12, 200, seed=4).relu(), drawn(15, 200, seed=5).relu()
    centred = [side - side.mean(dim=0) for side in (one, other)]
    # tr((S1 S2)^(1/2)) from the small matrix of products between the samples, where there is no rank to lose.
    root = torch.linalg.svdvals(centred[0] @ centred[1].T).sum() / (11 * 14) ** 0.5
    traces = sum(side.square().sum() / (len(side) - 1) for side in centred)
    expected = (one.mean(dim=0) - other.mean(dim=0)).square().sum() + traces - 2 * root
    distance = frechet_distance(statistics_of(one), statistics_of(other))
    assert distance == pytest.approx(expected.item(), rel=1e-11)


def test_equal_sets_are_at_distance_zero() -> None:
    statistics = statistics_of(drawn(40, 8, seed=6))
    assert frechet_distance(statistics, statistics) == pytest.approx(0, abs=1e-10)


def test_one_picture_is_too_few() -> None:
    two, one = statistics_of(drawn(2, 3, seed=7)), statistics_of(drawn(1, 3, seed=7))
    with pytest.raises(ConfigError, match="two pictures or more on either side, not 1"):
        frechet_distance(two, one)


def test_features_of_different_sources_are_refused() -> None:
    with pytest.raises(ConfigError, match="features of 3 and 4 numbers"):
        frechet_distance(statistics_of(drawn(5, 3, seed=8)), statistics_of(drawn(5, 4, seed=8)))
