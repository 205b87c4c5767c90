import pytest
import torch
from torch import nn
from torch.nn.utils import spectral_norm as torch_spectral_norm

from spade.recomputation import recomputed
from spade.spectral import spectral_norm


def convolution(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d] = nn.Conv2d) -> nn.Conv2d | nn.ConvTranspose2d:
    torch.manual_seed(0)
    return kind(4, 6, 3)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # the reference is torch's older implementation
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_weights_and_iterations_are_those_of_the_older_implementation_that_published_weights_come_from(
    kind: type[nn.Conv2d],
) -> None:
    ours, theirs = spectral_norm(convolution(kind)), torch_spectral_norm(convolution(kind))
    parametrization = ours.parametrizations.weight[0]
    with torch.no_grad():
        parametrization._u.copy_(theirs.weight_u)
        parametrization._v.copy_(theirs.weight_v)
    x = torch.randn(2, 4, 8, 8)
    for _ in range(3):
        assert torch.equal(ours(x), theirs(x))
    assert torch.equal(parametrization._u, theirs.weight_u)
    assert torch.equal(parametrization._v, theirs.weight_v)


def test_evaluation_does_not_iterate() -> None:
    network = spectral_norm(convolution()).eval()
    before = network.parametrizations.weight[0]._u.clone()
    x = torch.randn(1, 4, 8, 8)
    assert torch.equal(network(x), network(x))
    assert torch.equal(network.parametrizations.weight[0]._u, before)


def test_the_largest_singular_value_comes_to_one() -> None:
    network = spectral_norm(convolution())
    for _ in range(200):
        network(torch.zeros(1, 4, 4, 4))
    network.eval()
    assert torch.linalg.matrix_norm(network.weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-4)


def test_a_recomputed_pass_uses_the_same_weight_and_does_not_count() -> None:
    once, again = spectral_norm(convolution()), spectral_norm(convolution())
    again.load_state_dict(once.state_dict())
    x = torch.randn(1, 4, 8, 8)
    once(x).square().sum().backward()
    recomputed(again, x).square().sum().backward()
    assert torch.equal(once.parametrizations.weight.original.grad, again.parametrizations.weight.original.grad)
    assert torch.equal(once.parametrizations.weight[0]._u, again.parametrizations.weight[0]._u)


def test_under_autocast_the_norm_is_computed_in_float32() -> None:
    network = spectral_norm(convolution()).eval()
    exact = network.weight
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(network.weight, exact)
