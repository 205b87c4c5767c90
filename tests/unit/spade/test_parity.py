import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from spade.errors import ParityError
from spade.parity import TensorCheck, our_fake, our_semantics, verify_parity

PUBLISHED_RECORDINGS = Path(__file__).parents[4] / "shared" / "parity"
SPADE_FILES = ["ade_like_most_vae_instance", "batchnorm5x5_ls", "cityscapes_like_more", "coco_like_normal"]

Recorded = tuple[dict[str, Any], dict[str, Tensor], str]


@pytest.fixture
def parity_file(recorded: Recorded, tmp_path: Path) -> Path:
    """A recorded case in the layout of the published recordings."""
    options, tensors, _ = recorded
    return write_parity_file(tmp_path / "case.safetensors", options, tensors)


def write_parity_file(path: Path, options: dict[str, Any], tensors: dict[str, Tensor]) -> Path:
    with_semantics = {"in.semantics": our_semantics(options, tensors)} | tensors
    save_file(with_semantics, path, metadata={"options": json.dumps(options)})
    return path


def test_semantics_are_bit_for_bit_those_of_the_published_code(recorded: Recorded) -> None:
    options, tensors, digest = recorded
    semantics = our_semantics(options, tensors).to(torch.uint8)
    assert hashlib.sha256(semantics.numpy().tobytes()).hexdigest() == digest


def test_the_generator_makes_what_was_recorded(recorded: Recorded) -> None:
    options, tensors, _ = recorded
    fake = our_fake(options, tensors)
    assert fake.std() > 0.1
    assert (fake - tensors["eval.fake"]).abs().max() < 1e-4


def test_a_file_that_agrees_passes_tensor_by_tensor(parity_file: Path) -> None:
    report = verify_parity(parity_file)
    assert report.passed
    assert [check.tensor for check in report.checks] == ["in.semantics", "eval.fake"]
    assert report.not_covered == ()


@pytest.mark.parametrize("tensor", ["eval.fake", "in.semantics"])
def test_one_value_beyond_the_tolerance_fails(recorded: Recorded, tmp_path: Path, tensor: str) -> None:
    options, tensors, _ = recorded
    tensors["in.semantics"] = our_semantics(options, tensors)
    tensors[tensor].view(-1)[7] += 2e-4
    report = verify_parity(write_parity_file(tmp_path / "case.safetensors", options, tensors))
    assert not report.passed
    assert [check.tensor for check in report.checks if not check.passed] == [tensor]


def test_another_weight_fails(recorded: Recorded, tmp_path: Path) -> None:
    options, tensors, _ = recorded
    tensors["state.G.up_1.norm_1.mlp_gamma.weight"] *= 1.1
    assert not verify_parity(write_parity_file(tmp_path / "case.safetensors", options, tensors)).passed


def write_changed(case: Recorded, path: Path, **options: object) -> Path:
    return write_parity_file(path, case[0] | options, case[1])


@pytest.mark.parametrize("missing", ["in.label", "eval.fake", "in.semantics", "in.instance"])
def test_a_tensor_that_a_check_needs_is_named_where_it_is_missing(
    recorded_coco: Recorded, tmp_path: Path, missing: str
) -> None:
    options, tensors, _ = recorded_coco
    tensors["in.semantics"] = our_semantics(options, tensors)
    del tensors[missing]
    path = tmp_path / "case.safetensors"
    save_file(tensors, path, metadata={"options": json.dumps(options)})
    with pytest.raises(ParityError, match=rf"{missing} is missing"):
        verify_parity(path)


def test_the_latent_is_named_where_it_is_missing(recorded_coco: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "case.safetensors"
    options, tensors, _ = recorded_coco
    tensors["state.G.fc.weight"] = torch.zeros((128, 16))
    tensors["state.G.fc.bias"] = torch.zeros(128)
    with pytest.raises(ParityError, match=r"eval\.z is missing"):
        verify_parity(write_parity_file(path, options | {"use_vae": True, "z_dim": 16}, tensors))


def test_a_weight_that_does_not_fit_is_named_as_it_was_published(recorded_coco: Recorded, tmp_path: Path) -> None:
    del recorded_coco[1]["state.G.up_0.conv_s.weight_orig"]
    with pytest.raises(ParityError, match=r"up_0\.conv_s\.weight_orig is missing"):
        verify_parity(write_changed(recorded_coco, tmp_path / "case.safetensors"))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"norm_G": "spectralinstance"}, "norm_G 'spectralinstance'"),
        ({"num_upsampling_layers": "many"}, "many"),
        ({"crop_size": "big"}, "options: "),
    ],
)
def test_options_that_the_published_code_does_not_know_are_named(
    recorded_coco: Recorded, tmp_path: Path, options: dict[str, object], named: str
) -> None:
    with pytest.raises(ParityError, match=named):
        verify_parity(write_changed(recorded_coco, tmp_path / "case.safetensors", **options))


def test_a_missing_option_is_named(recorded_coco: Recorded, tmp_path: Path) -> None:
    options, tensors, _ = recorded_coco
    del options["ngf"]
    with pytest.raises(ParityError, match="'ngf' is missing"):
        verify_parity(write_parity_file(tmp_path / "case.safetensors", options, tensors))


def test_maps_of_the_wrong_shape_are_named(recorded_coco: Recorded, tmp_path: Path) -> None:
    options, tensors, _ = recorded_coco
    tensors["in.semantics"] = our_semantics(options, tensors)
    tensors["in.label"] = tensors["in.label"][:, 0].contiguous()
    save_file(tensors, tmp_path / "case.safetensors", metadata={"options": json.dumps(options)})
    with pytest.raises(ParityError, match=r"in\.label is uint8 \(1, 64, 64\), expected \(B, 1, H, W\)"):
        verify_parity(tmp_path / "case.safetensors")


def test_shapes_that_differ_and_what_is_no_number_are_beyond_any_tolerance(
    recorded_coco: Recorded, tmp_path: Path
) -> None:
    tensors = recorded_coco[1]
    tensors["eval.fake"] = tensors["eval.fake"][:, :, :32].contiguous()
    (wrong_shape,) = failed(write_changed(recorded_coco, tmp_path / "shape.safetensors"))
    assert wrong_shape.detail == "recorded (1, 3, 32, 64), ours (1, 3, 64, 64)"
    tensors["eval.fake"] = torch.full((1, 3, 64, 64), float("nan"))
    (not_a_number,) = failed(write_changed(recorded_coco, tmp_path / "nan.safetensors"))
    assert (not_a_number.difference, not_a_number.detail) == (float("inf"), "not a number")


def failed(path: Path) -> list[TensorCheck]:
    return [check for check in verify_parity(path).checks if not check.passed]


def test_of_another_generator_only_the_semantics_are_checked_and_the_rest_is_listed(
    recorded_coco: Recorded, tmp_path: Path
) -> None:
    recorded_coco[1]["train.loss.GAN"] = torch.zeros(())
    report = verify_parity(write_changed(recorded_coco, tmp_path / "case.safetensors", netG="pix2pixhd"))
    assert [check.tensor for check in report.checks] == ["in.semantics"]
    assert report.passed
    assert report.not_covered == (
        "eval.fake, state.G.*: generator netG=pix2pixhd",
        "train.*: losses of a training iteration",
    )


def test_files_that_are_no_parity_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="there is no such file"):
        verify_parity(tmp_path / "nix.safetensors")
    (tmp_path / "text").write_text("no tensors here")
    with pytest.raises(ParityError, match="not a readable parity file"):
        verify_parity(tmp_path / "text")
    save_file({"a": torch.zeros(1)}, tmp_path / "plain.safetensors")
    with pytest.raises(ParityError, match="its metadata has no options"):
        verify_parity(tmp_path / "plain.safetensors")


@pytest.mark.parametrize("name", SPADE_FILES)
def test_the_generator_agrees_with_the_published_recordings(name: str) -> None:
    path = PUBLISHED_RECORDINGS / f"{name}.safetensors"
    if not path.exists():
        pytest.skip("the published recordings, 48 MB, are not beside this checkout")
    report = verify_parity(path)
    assert {check.tensor: check.difference < 1e-4 for check in report.checks} == {
        "in.semantics": True,
        "eval.fake": True,
    }


def test_the_recorded_cases_are_parts_of_the_published_recordings(recorded_coco: Recorded) -> None:
    path = PUBLISHED_RECORDINGS / "coco_like_normal.safetensors"
    if not path.exists():
        pytest.skip("the published recordings, 48 MB, are not beside this checkout")
    with safe_open(path, framework="pt") as file:
        assert file.get_tensor("in.label")[:1].equal(recorded_coco[1]["in.label"])
