import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from spade.errors import ParityError
from spade.parity.evaluation import our_semantics
from spade.parity.recording import Recording
from spade.parity.report import TensorCheck, worst_by_group
from spade.parity.verify import verify_parity
from support.recordings import Recorded, complete, write

PUBLISHED_RECORDINGS = Path(__file__).parents[4] / "shared" / "parity"
PUBLISHED = [
    "ade_like_most_vae_instance",
    "batchnorm5x5_ls",
    "cityscapes_like_more",
    "coco_like_normal",
    "pix2pixhd_original",
]
NOT_COMPARED = ("in.label", "in.instance", "in.image", "eval.z", "train.eps.", "state.")

Case = tuple[dict[str, Any], dict[str, Tensor]]


@pytest.fixture
def case(completed_coco: Case) -> Case:
    """A whole recording, one's own to change."""
    options, tensors = completed_coco
    return dict(options), {name: tensor.clone() for name, tensor in tensors.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "case.safetensors"


def failed(path: Path) -> list[TensorCheck]:
    return [check for check in verify_parity(path).checks if not check.passed]


def test_semantics_are_bit_for_bit_those_of_the_published_code(recorded: Recorded) -> None:
    options, tensors, digest = recorded
    semantics = our_semantics(Recording(options, tensors)).to(torch.uint8)
    assert hashlib.sha256(semantics.numpy().tobytes()).hexdigest() == digest


def test_the_generator_makes_what_was_recorded(recorded: Recorded, path: Path) -> None:
    options, tensors = complete(recorded)
    assert tensors["eval.fake"].std() > 0.1
    assert (tensors["eval.fake"] - recorded[1]["eval.fake"]).abs().max() < 1e-4
    assert verify_parity(write(path, options, tensors)).passed


def test_every_recorded_tensor_is_compared(case: Case, path: Path) -> None:
    compared = {check.tensor for check in verify_parity(write(path, *case)).checks}
    recorded = {name for name in case[1] if not name.startswith(NOT_COMPARED)}
    # Where the gradient is rounding error, the step's size is compared in place of sum and norm.
    left = {name for name in recorded - compared if name.replace("sum_l2.", "") not in compared}
    assert left == set()


@pytest.mark.parametrize(
    "tensor",
    [
        "in.semantics",
        "eval.fake",
        "eval.D.0.2",
        "eval.D.1.4",
        "train.fake",
        "train.loss.GAN",
        "train.loss.D_real",
        "after.sum_l2.G.up_1.conv_0.weight_orig",
        "after.sum_l2.D.discriminator_1.model2.0.0.weight_v",
        "after.D.discriminator_0.model4.0.bias",
        "after.G.head_0.norm_0.param_free_norm.running_var",
    ],
)
def test_one_value_beyond_the_tolerance_fails_and_is_named(case: Case, path: Path, tensor: str) -> None:
    case[1][tensor].view(-1)[0] += 5 if "sum_l2" in tensor else 0.05
    names = [check.tensor for check in failed(write(path, *case))]
    assert tensor in names
    # The discriminator is shown the recorded semantics and pictures, so it notices when those are wrong; so does the
    # engine, whose picture is compared with the recorded one too.
    assert all(name.startswith(("eval.D.", tensor)) for name in names)


def test_another_weight_fails_in_evaluation_and_in_training(case: Case, path: Path) -> None:
    case[1]["state.G.up_1.norm_1.mlp_gamma.weight"] *= 1.5
    names = {check.tensor for check in failed(write(path, *case))}
    assert {"eval.fake", "train.fake"} <= names


@pytest.mark.parametrize(
    "missing", ["in.label", "eval.fake", "in.semantics", "in.instance", "state.D.discriminator_0.model0.0.bias"]
)
def test_a_tensor_that_a_check_needs_is_named_where_it_is_missing(case: Case, path: Path, missing: str) -> None:
    del case[1][missing]
    with pytest.raises(ParityError, match=rf"{missing} is missing"):
        verify_parity(write(path, *case))


def test_a_weight_that_does_not_fit_is_named_as_it_was_published(case: Case, path: Path) -> None:
    case[1]["state.G.up_0.conv_s.weight_orig"] = torch.zeros(3)
    with pytest.raises(ParityError, match=r"up_0\.conv_s\.weight_orig is float32 \(3,\), expected"):
        verify_parity(write(path, *case))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"norm_G": "spectralinstance"}, "norm_G 'spectralinstance'"),
        ({"num_upsampling_layers": "many"}, "many"),
        ({"crop_size": "big"}, "option 'crop_size' is 'big'; it must be a whole number"),
        ({"aspect_ratio": 0}, "options: "),
        ({"netG": "pix2pixhd"}, "'resnet_n_downsample' is missing"),
    ],
)
def test_options_that_the_published_code_does_not_know_are_named(
    case: Case, path: Path, options: dict[str, object], named: str
) -> None:
    with pytest.raises(ParityError, match=named):
        verify_parity(write(path, {k: v for k, v in case[0].items() if "resnet" not in k} | options, case[1]))


@pytest.mark.parametrize("option", ["ngf", "lr", "ndf"])
def test_a_missing_option_is_named(case: Case, path: Path, option: str) -> None:
    del case[0][option]
    with pytest.raises(ParityError, match=rf"'?{option}'? is missing"):
        verify_parity(write(path, *case))


def test_maps_of_the_wrong_shape_are_named(case: Case, path: Path) -> None:
    case[1]["in.label"] = case[1]["in.label"][:, 0].contiguous()
    with pytest.raises(ParityError, match=r"in\.label is uint8 \(1, 64, 64\), expected \(B, 1, H, W\)"):
        verify_parity(write(path, *case))


def test_shapes_that_differ_and_what_is_no_number_are_beyond_any_tolerance(case: Case, path: Path) -> None:
    case[1]["train.fake"] = case[1]["train.fake"][:, :, :32].contiguous()
    (wrong_shape,) = failed(write(path, *case))
    assert wrong_shape.detail == "recorded (1, 3, 32, 64), ours (1, 3, 64, 64)"
    case[1]["train.fake"] = torch.full((1, 3, 64, 64), float("nan"))
    (not_a_number,) = failed(write(path, *case))
    assert (not_a_number.difference, not_a_number.detail) == (float("inf"), "not a number")


def test_a_summary_shows_the_worst_tensor_of_each_network(case: Case, path: Path) -> None:
    case[1]["after.sum_l2.G.up_1.conv_0.weight_orig"] += 1
    shown = worst_by_group(verify_parity(write(path, *case)).checks)
    bad = [check for check in shown if not check.passed]
    assert [check.tensor.partition(" (")[0] for check in bad] == ["after.G: tensors"]
    assert len(shown) < 30


def test_files_that_are_no_parity_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="there is no such file"):
        verify_parity(tmp_path / "nix.safetensors")
    (tmp_path / "text").write_text("no tensors here")
    with pytest.raises(ParityError, match="not a readable parity file"):
        verify_parity(tmp_path / "text")
    save_file({"a": torch.zeros(1)}, tmp_path / "plain.safetensors")
    with pytest.raises(ParityError, match="its metadata has no options"):
        verify_parity(tmp_path / "plain.safetensors")


@pytest.mark.parametrize("name", PUBLISHED)
def test_networks_losses_and_training_agree_with_the_published_recordings(name: str) -> None:
    path = PUBLISHED_RECORDINGS / f"{name}.safetensors"
    if not path.exists():
        pytest.skip("the published recordings, 43 MB, are not beside this checkout")
    report = verify_parity(path)
    assert [check.tensor for check in report.checks if not check.passed] == []
    with safe_open(path, framework="pt") as file:
        names = {name for name in file.keys() if not name.startswith(NOT_COMPARED)}  # noqa: SIM118 - not a dict
    compared = {check.tensor for check in report.checks}
    assert {name for name in names - compared if name.replace("sum_l2.", "") not in compared} == set()


def test_the_recorded_cases_are_parts_of_the_published_recordings(recorded_coco: Recorded) -> None:
    path = PUBLISHED_RECORDINGS / "coco_like_normal.safetensors"
    if not path.exists():
        pytest.skip("the published recordings, 43 MB, are not beside this checkout")
    with safe_open(path, framework="pt") as file:
        assert file.get_tensor("in.label")[:1].equal(recorded_coco[1]["in.label"])
