from itertools import permutations, product

import numpy as np
import pytest
import torch

from spade.errors import ConfigError
from spade.evaluation.kernel_distance import FeatureSample, KernelSubsets, kernel_distance


def test_of_all_pictures_it_is_the_unbiased_estimate_summed_pair_by_pair() -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(size=(6, 4)), random.normal(0.5, 2, size=(6, 4))

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 4 + 1) ** 3)

    within = [np.mean([kernel(x, y) for x, y in permutations(side, 2)]) for side in (one, other)]
    between = np.mean([kernel(x, y) for x, y in product(one, other)])
    result = kernel_distance(torch.from_numpy(one), torch.from_numpy(other), KernelSubsets())
    assert result.mean == pytest.approx(sum(within) - 2 * between, rel=1e-12)
    assert (result.deviation, result.subsets, result.subset_size) == (0, 1, 6)


def test_subsets_are_drawn_by_the_seed_and_average_near_the_whole() -> None:
    random = torch.Generator().manual_seed(0)
    one, other = torch.randn(80, 3, generator=random), torch.randn(90, 3, generator=random) + 1
    drawn = [kernel_distance(one, other, KernelSubsets(count=200, size=40, seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert (drawn[0].subsets, drawn[0].subset_size) == (200, 40)
    whole = kernel_distance(one[:80], other[:80], KernelSubsets())
    assert drawn[0].mean == pytest.approx(whole.mean, rel=0.15)
    assert drawn[0].deviation > 0


def test_one_picture_is_too_few() -> None:
    with pytest.raises(ConfigError, match="not 1 and 5"):
        kernel_distance(torch.zeros(1, 2), torch.zeros(5, 2), KernelSubsets())


def test_a_sample_keeps_all_up_to_its_limit_and_then_each_with_equal_chance() -> None:
    few = FeatureSample(10, seed=0)
    few.update(torch.arange(7.0).unsqueeze(1))
    assert few.features().flatten().tolist() == list(range(7))

    kept = torch.zeros(40)
    for seed in range(300):
        sample = FeatureSample(10, seed=seed)
        for part in torch.arange(40.0).unsqueeze(1).split(9):
            sample.update(part)
        assert sample.count == 40
        kept += torch.bincount(sample.features().flatten().long(), minlength=40)
    assert kept.sum() == 3000
    assert 40 < kept.min() <= kept.max() < 115  # 75 is expected of each, with a deviation of 7.5
