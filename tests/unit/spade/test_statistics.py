import pytest
import torch
from torch import nn

from spade.recomputation import recomputed
from spade.statistics import BatchStatistics


@pytest.mark.parametrize("synchronized", [False, True])
def test_one_process_computes_what_torch_does(synchronized: bool) -> None:
    ours, theirs = BatchStatistics(3, synchronized=synchronized), nn.BatchNorm2d(3, affine=False)
    for _ in range(3):
        x = torch.randn(4, 3, 5, 5) * 2 + 1
        assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.running_mean, theirs.running_mean)
    assert torch.equal(ours.running_var, theirs.running_var)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


def test_a_recomputed_pass_counts_once() -> None:
    x = torch.randn(4, 3, 5, 5, requires_grad=True)
    once, again = BatchStatistics(3, synchronized=False), BatchStatistics(3, synchronized=False)
    once(x).square().sum().backward()
    recomputed(again, x).square().sum().backward()
    assert torch.equal(once.running_mean, again.running_mean)
    assert again.num_batches_tracked == 1


def test_half_precision_is_normalized_in_float32() -> None:
    assert BatchStatistics(3, synchronized=False)(torch.randn(2, 3, 4, 4, dtype=torch.bfloat16)).dtype == torch.float32
