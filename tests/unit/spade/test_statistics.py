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


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("synchronized", [True, False])
def test_two_layers_normalize_at_once_as_each_does_alone(training: bool, synchronized: bool) -> None:
    alone, at_once = (_two_layers(synchronized=synchronized, training=training) for _ in range(2))
    x = torch.randn(4, 3, 5, 5) * 2 + 1
    expected = tuple(layer(x) for layer in alone)
    assert all(map(torch.equal, at_once[0].begin_with(at_once[1], x)(), expected))
    for ours, theirs in zip(at_once, alone, strict=True):
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_layers_that_are_alike_stay_alike_to_the_bit() -> None:
    first, second = BatchStatistics(3, synchronized=True), BatchStatistics(3, synchronized=True)
    for _ in range(3):
        first.begin_with(second, torch.randn(4, 3, 5, 5))()
    assert torch.equal(first.running_mean, second.running_mean)
    assert torch.equal(first.running_var, second.running_var)


def _two_layers(*, synchronized: bool, training: bool) -> list[BatchStatistics]:
    layers = [BatchStatistics(3, synchronized=synchronized).train(training) for _ in range(2)]
    layers[1].running_mean.fill_(0.5)
    return layers
