from pathlib import Path

import pytest
import torch

from spade.errors import CheckpointError
from spade.perceptual import PerceptualLoss, VGG19Features, load_vgg19


@pytest.fixture(scope="module")
def vgg19() -> VGG19Features:
    torch.manual_seed(0)
    return VGG19Features()


def test_taps_have_the_widths_and_sizes_of_relu_1_1_to_5_1(vgg19: VGG19Features) -> None:
    taps = vgg19(torch.zeros(1, 3, 32, 32))
    assert [tuple(tap.shape[1:]) for tap in taps] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]
    assert all((tap >= 0).all() for tap in taps)


def test_equal_pictures_have_no_distance_and_only_the_generated_one_gets_a_gradient(vgg19: VGG19Features) -> None:
    loss = PerceptualLoss(vgg19)
    fake, real = torch.rand(1, 3, 32, 32, requires_grad=True), torch.rand(1, 3, 32, 32, requires_grad=True)
    assert loss(real, real).item() == 0
    loss(fake, real).backward()
    assert fake.grad is not None
    assert real.grad is None
    assert all(parameter.grad is None for parameter in loss.parameters())


def test_weights_in_torchvisions_layout_are_loaded_and_the_classifier_is_ignored(
    vgg19: VGG19Features, tmp_path: Path
) -> None:
    path = tmp_path / "vgg19.pth"
    state = {name: tensor for name, tensor in vgg19.state_dict().items() if "features.28" in name or "bias" in name}
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=r"features\.0\.weight is missing"):
        load_vgg19(path)
    torch.save(vgg19.state_dict() | {"classifier.0.bias": torch.zeros(1)}, path)
    loaded = load_vgg19(path)
    assert torch.equal(loaded.features[0].weight, vgg19.features[0].weight)


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such file"):
        load_vgg19(tmp_path / "nix.pth")
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(CheckpointError, match="not a checkpoint that torch can read"):
        load_vgg19(tmp_path / "text")
