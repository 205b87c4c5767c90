from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from spade.errors import CheckpointError, ConfigError
from spade.evaluation.lpips import LAYOUTS, LPIPS, Backbone, load_lpips, shipped_judgement

ALEXNET = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
"""Channels, kernel, stride and padding of the convolutions; pooling follows the first two."""


@pytest.fixture
def classifier(tmp_path: Path, drawn: Callable[[str, torch.Size], Tensor]) -> Callable[[Backbone], Path]:
    """Writes weights in torchvision's layout, the classifier's own layers included."""

    def write(backbone: Backbone) -> Path:
        features = LPIPS(backbone).features.state_dict()
        tensors = {f"features.{name}": drawn(name, tensor.shape) for name, tensor in features.items()}
        torch.save(tensors | {"classifier.6.bias": torch.zeros(1000)}, tmp_path / f"{backbone}.pth")
        return tmp_path / f"{backbone}.pth"

    return write


def pictures(seed: int, side: int = 48) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def by_hand(weights: dict[str, Tensor], layers: dict[str, Tensor], one: Tensor, other: Tensor) -> NDArray[np.float64]:
    """The paper's equation for AlexNet, layer by layer."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    sides = []
    for picture in (one, other):
        normalized = ((picture.double().permute(0, 2, 3, 1) + 1) / 2 - mean) / deviation
        x, outputs = normalized.permute(0, 3, 1, 2).float(), []
        for number, (position, (_, _, stride, padding)) in enumerate(zip((0, 3, 6, 8, 10), ALEXNET, strict=True)):
            if number in (1, 2):
                x = functional.max_pool2d(x, 3, 2)
            kernel, bias = weights[f"features.{position}.weight"], weights[f"features.{position}.bias"]
            x = functional.conv2d(x, kernel, bias, stride, padding).relu()
            outputs.append(x.double().numpy())
        sides.append(outputs)
    distance = np.zeros(len(one))
    for number, (a, b) in enumerate(zip(*sides, strict=True)):
        difference = a / np.linalg.norm(a, axis=1, keepdims=True) - b / np.linalg.norm(b, axis=1, keepdims=True)
        weight = layers[f"lin{number}.model.1.weight"].double().numpy()
        distance += (weight * difference**2).sum(axis=1).mean(axis=(1, 2))
    return distance


def test_the_distance_is_the_papers_with_the_layers_that_torchmetrics_carries(
    classifier: Callable[[Backbone], Path],
) -> None:
    file = classifier(Backbone.ALEX)
    weights = torch.load(file, weights_only=True)
    layers = torch.load(shipped_judgement(Backbone.ALEX), map_location="cpu", weights_only=True)
    with torch.inference_mode():
        distance = load_lpips(Backbone.ALEX, file)(pictures(0), pictures(1))
    # The published constants of the input are rounded to three digits.
    np.testing.assert_allclose(distance.numpy(), by_hand(weights, layers, pictures(0), pictures(1)), rtol=5e-3)


@pytest.mark.parametrize("backbone", Backbone)
def test_equal_pictures_are_at_distance_zero_and_others_are_not(
    classifier: Callable[[Backbone], Path], backbone: Backbone
) -> None:
    network = load_lpips(backbone, classifier(backbone), shipped_judgement(backbone))
    with torch.inference_mode():
        assert network(pictures(0), pictures(0)).tolist() == [0, 0]
        assert network(pictures(0), pictures(1)).min() > 0.01


def test_taps_have_the_channels_that_the_fitted_layers_expect() -> None:
    for backbone, layout in LAYOUTS.items():
        x, widths = torch.zeros(1, 3, 32, 32), []
        for position, layer in enumerate(LPIPS(backbone).features):
            x = layer(x)
            if position in layout.taps:
                widths.append(x.shape[1])
                assert isinstance(layer, torch.nn.ReLU)
        assert tuple(widths) == layout.widths


def test_weights_of_the_other_network_are_refused(classifier: Callable[[Backbone], Path]) -> None:
    file = classifier(Backbone.ALEX)
    with pytest.raises(CheckpointError, match=r"alex\.pth: not VGG16 .*0\.weight is of shape \(64, 3, 11, 11\)"):
        load_lpips(Backbone.VGG, file)
    with pytest.raises(CheckpointError, match=r"not the LPIPS layers of alex: tensor 1\.weight is of shape"):
        load_lpips(Backbone.ALEX, file, shipped_judgement(Backbone.VGG))


def test_pictures_that_leave_no_features_are_refused() -> None:
    with pytest.raises(ConfigError, match="31x31 pixels are too small"):
        LPIPS(Backbone.ALEX)(pictures(0, 31), pictures(1, 31))
