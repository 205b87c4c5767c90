import dataclasses
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from spade.checkpoint import describe
from spade.config import GeneratorConfig, Norm, Upsampling
from spade.errors import CheckpointError
from spade.parity.evaluation import our_semantics
from spade.parity.recording import Recording
from spade.published import config_from_options, own_name, published_name
from spade.published_import import DATASETS, PublishedHints, import_generator

Recorded = tuple[dict[str, Any], dict[str, Tensor], str]


def save_pth(path: Path, state: dict[str, Tensor], *, prefix: str = "", new_style: bool = False) -> Path:
    """A `.pth` as training scripts write it."""
    if new_style:
        renamed = {"weight_orig": "original", "weight_u": "0._u", "weight_v": "0._v"}
        state = {
            name.replace(old, f"parametrizations.weight.{new}"): tensor
            for name, tensor in state.items()
            for old, new in renamed.items()
            if name.endswith(old)
        } | {name: tensor for name, tensor in state.items() if not name.endswith(tuple(renamed))}
    torch.save({prefix + name: tensor for name, tensor in state.items()}, path)
    return path


def state_of(case: Recorded) -> dict[str, Tensor]:
    return {name[8:]: tensor for name, tensor in case[1].items() if name.startswith("state.G.")}


@pytest.mark.parametrize("new_style", [False, True])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_an_imported_generator_makes_what_was_recorded(
    recorded: Recorded, tmp_path: Path, new_style: bool, prefix: str
) -> None:
    options, tensors, _ = recorded
    config = config_from_options(options)
    path = save_pth(tmp_path / "latest_net_G.pth", state_of(recorded), prefix=prefix, new_style=new_style)
    generator = import_generator(path, PublishedHints.of(config))
    # Batch and syncbatch statistics look the same in a file, and evaluate alike.
    syncbatch = Norm.SYNCBATCH if config.norm is Norm.BATCH else config.norm
    assert generator.config == dataclasses.replace(config, norm=syncbatch)
    with torch.inference_mode():
        fake = generator(our_semantics(Recording(options, tensors)), tensors.get("eval.z"))
    assert (fake - tensors["eval.fake"]).abs().max() < 1e-4


def test_published_names_are_read_and_written(
    tiny: GeneratorConfig, published_state: Callable[[GeneratorConfig], dict[str, Tensor]]
) -> None:
    names = list(published_state(tiny))
    assert [published_name(own_name(name)) for name in names] == names
    assert {"fc.weight", "conv_img.bias", "up_3.norm_s.mlp_shared.0.weight", "G_middle_0.conv_1.weight_v"} <= set(names)


@pytest.mark.parametrize("dataset", list(DATASETS))
def test_the_published_datasets_need_no_other_hint(
    dataset: str, published_state: Callable[[GeneratorConfig], dict[str, Tensor]], tmp_path: Path
) -> None:
    preset = DATASETS[dataset]
    assert preset.size is not None
    config = GeneratorConfig(
        label_nc=preset.label_nc or 0,
        dont_care=bool(preset.dont_care),
        instance_edges=bool(preset.instance_edges),
        height=preset.size[0],
        width=preset.size[1],
        base_channels=1,
        hidden_channels=2,
        upsampling=preset.upsampling or Upsampling.NORMAL,
    )
    path = save_pth(tmp_path / "latest_net_G.pth", published_state(config))
    assert import_generator(path, preset).config == config


@pytest.fixture
def coco_pth(recorded_coco: Recorded, tmp_path: Path) -> Path:
    """11 semantic channels: 9 classes, unknown and edges."""
    return save_pth(tmp_path / "latest_net_G.pth", state_of(recorded_coco))


@pytest.mark.parametrize(
    ("hints", "named"),
    [
        (PublishedHints(), "which of the 11 semantic channels are classes: give --dataset, or --label-nc"),
        (PublishedHints(label_nc=10, size=(64, 64)), "give --dataset, or --label-nc"),
        (DATASETS["coco"], "11 semantic channels, which does not fit label_nc 182"),
        (PublishedHints(label_nc=9), "picture size: give --size"),
        (PublishedHints(label_nc=9, size=(64, 64)), "normal from more: give --upsampling"),
        (PublishedHints(label_nc=9, size=(64, 64), upsampling=Upsampling.MOST), "upsampling normal or more, not most"),
        (PublishedHints(label_nc=9, size=(64, 60), upsampling=Upsampling.NORMAL), "60x64: width and height must be"),
    ],
)
def test_what_the_tensors_do_not_tell_is_asked_for(coco_pth: Path, hints: PublishedHints, named: str) -> None:
    with pytest.raises(CheckpointError, match=named):
        import_generator(coco_pth, hints)


def test_the_label_count_alone_settles_unknown_and_edges(coco_pth: Path) -> None:
    hints = PublishedHints(label_nc=9, size=(64, 128), upsampling=Upsampling.MORE)
    config = import_generator(coco_pth, hints).config
    assert (config.dont_care, config.instance_edges) == (True, True)
    assert (config.height, config.width, config.upsampling) == (64, 128, Upsampling.MORE)


def test_a_latent_and_the_size_tell_normal_from_more(
    tiny: GeneratorConfig, published_state: Callable[[GeneratorConfig], dict[str, Tensor]], tmp_path: Path
) -> None:
    config = dataclasses.replace(tiny, latent_dim=5, height=128, width=64, upsampling=Upsampling.MORE)
    path = save_pth(tmp_path / "latest_net_G.pth", published_state(config))
    hints = PublishedHints(label_nc=4, size=(128, 64))
    assert import_generator(path, hints).config == config
    with pytest.raises(CheckpointError, match=r"fc\.weight does not fit the picture size"):
        import_generator(path, dataclasses.replace(hints, size=(256, 256)))


def test_half_precision_and_files_without_batch_counts_are_read(recorded_coco: Recorded, tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in state_of(recorded_coco).items() if "num_batches" not in name}
    state["fc.bias"] = state["fc.bias"].half()
    hints = PublishedHints.of(config_from_options(recorded_coco[0]))
    generator = import_generator(save_pth(tmp_path / "latest_net_G.pth", state), hints)
    assert {describe(tensor).split()[0] for tensor in generator.state_dict().values()} == {"float32", "int64"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            lambda state: state.update({"up_1.conv_0.weight_orig": torch.zeros((3, 16, 3, 3))}),
            r"up_1\.conv_0\.weight_orig is float32 \(3, 16, 3, 3\), expected float32 \(8, 16, 3, 3\)",
        ),
        (lambda state: state.pop("up_1.norm_s.mlp_beta.bias"), r"up_1\.norm_s\.mlp_beta\.bias is missing"),
        (lambda state: state.update({"up_9.bias": torch.zeros(1)}), r"up_9\.bias has no place"),
        (lambda state: state.pop("fc.weight"), r"not a SPADE generator: tensor fc\.weight is missing"),
        (
            lambda state: state.update({"fc.weight": torch.zeros(3)}),
            r"not a SPADE generator: tensor fc\.weight is float32 \(3,\)",
        ),
        (lambda state: state.update({"discriminator_0.model0.0.weight": torch.zeros(1)}), "this is a discriminator"),
        (lambda state: state.update({"layer1.0.weight_orig": torch.zeros(1)}), "this is an encoder"),
        (lambda state: state.update({"model.1.0.weight_orig": torch.zeros(1)}), "this is a pix2pixHD generator"),
    ],
)
def test_the_first_thing_that_does_not_fit_is_named(
    recorded_coco: Recorded, tmp_path: Path, change: Callable[[dict[str, Tensor]], object], named: str
) -> None:
    state = state_of(recorded_coco)
    change(state)
    path = save_pth(tmp_path / "latest_net_G.pth", state)
    with pytest.raises(CheckpointError, match=named):
        import_generator(path, PublishedHints.of(config_from_options(recorded_coco[0])))


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_and_nothing_runs(tmp_path: Path, zipped: bool) -> None:
    trace = tmp_path / "trace"
    path = tmp_path / "latest_net_G.pth"
    harmful = {"fc.weight": torch.zeros(1), "x": Malicious(f"touch {trace}")}
    torch.save(harmful, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"refused: it holds \w+\.system, which is no tensor and could run code"):
        import_generator(path, DATASETS["coco"])
    assert not trace.exists()


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "not a checkpoint that torch can read"),
        (b"just text, no checkpoint", "not a checkpoint that torch can read"),
        (b"\0" * 1000, "not a checkpoint that torch can read"),
        (pickle.dumps({"a": 1}, protocol=4), "not a checkpoint that torch can read"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, data: bytes, named: str) -> None:
    path = tmp_path / "latest_net_G.pth"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=named):
        import_generator(path, DATASETS["coco"])


def test_a_cut_file_is_refused(coco_pth: Path) -> None:
    coco_pth.write_bytes(coco_pth.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="not a checkpoint that torch can read"):
        import_generator(coco_pth, DATASETS["coco"])


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ([torch.zeros(1)], "it holds list, not tensors by name"),
        ({}, "it holds dict, not tensors by name"),
        ({"epoch": 3}, "'epoch' is int; only tensors by name"),
    ],
)
def test_a_checkpoint_of_other_things_is_refused(tmp_path: Path, content: object, named: str) -> None:
    path = tmp_path / "latest_net_G.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=named):
        import_generator(path, DATASETS["coco"])


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nix\.pth: there is no such file"):
        import_generator(tmp_path / "nix.pth", DATASETS["coco"])
    with pytest.raises(CheckpointError, match="cannot be read: Is a directory"):
        import_generator(tmp_path, DATASETS["coco"])
