"""How first weights are drawn."""

import pytest
import torch
from torch import nn

from spade.spectral import spectral_norm
from spade.training.networks import Init, InitConfig, initialize

FAN = 400


def started(init: InitConfig, layer: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    initialize(layer, init)
    return layer


@pytest.mark.parametrize(
    ("kind", "deviation"),
    [
        (Init.NORMAL, 0.5),
        (Init.XAVIER, 0.5 * FAN**-0.5),
        (Init.XAVIER_UNIFORM, 0.5 * FAN**-0.5),
        (Init.KAIMING, (2 / FAN) ** 0.5),
        (Init.ORTHOGONAL, 0.5 * FAN**-0.5),
    ],
)
def test_weights_have_the_deviation_of_their_distribution_and_biases_are_zero(kind: Init, deviation: float) -> None:
    layer = started(InitConfig(kind=kind, gain=0.5), nn.Linear(FAN, FAN))
    assert layer.weight.std().item() == pytest.approx(deviation, rel=0.03)
    assert not layer.bias.any()


def test_uniform_weights_have_a_bound_and_orthogonal_ones_equal_singular_values() -> None:
    uniform = started(InitConfig(kind=Init.XAVIER_UNIFORM, gain=1.0), nn.Linear(FAN, FAN)).weight
    assert uniform.abs().max().item() == pytest.approx((3 / FAN) ** 0.5, rel=0.01)
    orthogonal = started(InitConfig(kind=Init.ORTHOGONAL, gain=2.0), nn.Linear(FAN, FAN)).weight
    assert torch.allclose(torch.linalg.svdvals(orthogonal), torch.tensor(2.0), atol=1e-3)


def test_none_leaves_everything_as_torch_makes_it() -> None:
    layer = nn.Linear(3, 3)
    before = layer.weight.clone(), layer.bias.clone()
    started(InitConfig(kind=Init.NONE), layer)
    assert torch.equal(layer.weight, before[0])
    assert torch.equal(layer.bias, before[1])
    assert layer.bias.any()


@pytest.mark.parametrize("compatible", [True, False])
def test_weights_under_spectral_norm_are_drawn_only_where_compatibility_is_off(compatible: bool) -> None:
    layer = spectral_norm(nn.Conv2d(4, 4, 3))
    original = layer.parametrizations.weight.original
    before = original.clone()
    started(InitConfig(compatible=compatible), layer)
    assert torch.equal(original, before) is compatible
    assert not layer.bias.any()
