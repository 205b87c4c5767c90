from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from spade.errors import CheckpointError
from spade.evaluation.features import InceptionSource
from spade.evaluation.inception import InceptionFeatures, Resize, load_inception, to_inception_size

RECORDED = [4.821143, 0.261661, 0.050716, 3.050272, 0.0, 0.132561, 5.604219, 9.131968]
RECORDED_NORM = 201.972284
"""Of torch-fidelity 0.4.0's FeatureExtractorInceptionV3, features "2048", with weights drawn as `drawn` does."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inception") / "pt_inception.pth"


@pytest.fixture
def network(weights: Path, drawn: Callable[[str, torch.Size], Tensor]) -> InceptionFeatures:
    if not weights.exists():
        with torch.device("meta"):
            blank = InceptionFeatures().state_dict()
        tensors = {name: drawn(name, tensor.shape) for name, tensor in blank.items()}
        tensors |= {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
        # As files from before torch 0.4.1.
        torch.save({name: one for name, one in tensors.items() if not name.endswith("num_batches_tracked")}, weights)
    return load_inception(weights)


def test_features_are_those_of_the_published_network(network: InceptionFeatures) -> None:
    pixels = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (1, 3, 299, 299), dtype=np.uint8)
    source = InceptionSource(network, Resize.BILINEAR)
    features = source((torch.from_numpy(pixels).float() - 128) / 128)
    assert features.shape == (1, source.dimension) == (1, 2048)
    torch.testing.assert_close(features[0, ::256], torch.tensor(RECORDED), rtol=1e-4, atol=1e-5)
    assert features.double().norm().item() == pytest.approx(RECORDED_NORM, rel=1e-4)


def test_the_bilinear_filter_takes_four_neighbours_whatever_the_scale() -> None:
    picture = torch.rand(1, 3, 600, 598, generator=torch.Generator().manual_seed(0)) * 2 - 1
    resized = to_inception_size(picture, Resize.BILINEAR)
    # From left to right, a new pixel lies in the middle between two old ones.
    expected = functional.interpolate(picture, size=(299, 598), mode="bilinear", align_corners=False)
    expected = (expected[..., 0::2] + expected[..., 1::2]) / 2
    torch.testing.assert_close(resized, expected)


def test_the_antialiased_filter_is_pillows_bicubic() -> None:
    pixels = np.random.default_rng(0).random((400, 500), dtype=np.float32) * 2 - 1
    expected = np.asarray(Image.fromarray(pixels).resize((299, 299), Image.Resampling.BICUBIC)).clip(-1, 1)
    resized = to_inception_size(torch.from_numpy(pixels).expand(1, 3, 400, 500), Resize.BICUBIC_ANTIALIAS)
    np.testing.assert_allclose(resized[0, 1], expected, atol=1e-4)


def test_a_file_of_another_network_is_refused_by_the_first_tensor_that_does_not_fit(tmp_path: Path) -> None:
    torch.save({"Conv2d_1a_3x3.conv.weight": torch.zeros(32, 3, 5, 5)}, tmp_path / "other.pth")
    with pytest.raises(
        CheckpointError, match=r"other\.pth: not Inception v3 .*1a_3x3\.conv\.weight is of shape .*5, 5"
    ):
        load_inception(tmp_path / "other.pth")
