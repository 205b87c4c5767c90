"""An exported file makes in onnxruntime the pictures of the plain generator, whatever the variant."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from spade.benchmarks.plain import plain_pictures
from spade.checkpoint import empty_generator
from spade.config import GeneratorConfig, Norm, Upsampling
from spade.errors import ConfigError
from spade.generator import SpadeGenerator
from spade.onnx_export.file import export_onnx
from support.generators import settled_generator

TOLERANCE = 1e-4
OPSET = 17

VARIANTS: dict[str, dict[str, object]] = {
    "as published": {},
    "no edges": {"instance_edges": False},
    "no unknown, no edges": {"instance_edges": False, "dont_care": False},
    "large kernel, batch norm": {"kernel_size": 5, "norm": Norm.BATCH},
    "instance norm": {"norm": Norm.INSTANCE},
    "no spectral norm": {"spectral_norm": False},
    "muted": {"output_multiplier": 0.5},
    "more": {"upsampling": Upsampling.MORE},
    "most": {"upsampling": Upsampling.MOST, "height": 128, "width": 128},
    "latent": {"latent_dim": 6, "width": 128},
    "latent, instance norm, one channel": {"latent_dim": 6, "norm": Norm.INSTANCE, "output_channels": 1},
}


def maps(classes: int, batch: int, height: int, width: int) -> Tensor:
    """Blocks of ids (batch, height, width), with single pixels of others, at the rim too."""
    ids = torch.randint(classes, (batch, height // 8, width // 8)).repeat_interleave(8, 1).repeat_interleave(8, 2)
    return torch.where(torch.rand(ids.shape) < 0.02, torch.randint(classes, ids.shape), ids)


def inputs_for(generator: SpadeGenerator, batch: int, height: int, width: int) -> dict[str, Tensor]:
    config = generator.config
    inputs = {"label_map": maps(config.label_nc + config.dont_care, batch, height, width)}
    if config.instance_edges:
        inputs["instance_map"] = maps(7, batch, height, width) * 1000
    if config.latent_dim is not None:
        inputs["z"] = torch.randn(batch, config.latent_dim)
    return inputs


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def pictures(path: Path, inputs: dict[str, Tensor]) -> NDArray[np.float32]:
    return session(path).run(["pictures"], {name: tensor.numpy() for name, tensor in inputs.items()})[0]


def plain(generator: SpadeGenerator, inputs: dict[str, Tensor]) -> NDArray[np.float32]:
    return plain_pictures(generator, inputs["label_map"], inputs.get("instance_map"), inputs.get("z")).numpy()


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_a_file_makes_the_pictures_of_the_plain_generator(changes: dict[str, object], tmp_path: Path) -> None:
    generator = settled_generator(**changes)
    config = generator.config
    written = export_onnx(generator, tmp_path / "model.onnx", opset=OPSET)
    onnx.checker.check_model(written.path, full_check=True)
    sizes = [(config.height, config.width)]
    if config.latent_dim is None:
        sizes.append((config.size_multiple, 3 * config.size_multiple))
    for batch, size in zip((2, 1), sizes, strict=False):
        inputs = inputs_for(generator, batch, *size)
        made, expected = pictures(written.path, inputs), plain(generator, inputs)
        assert made.shape == (batch, config.output_channels, *size)
        assert made.dtype == np.float32
        assert np.abs(made - expected).max() <= TOLERANCE
        assert expected.std() > 0.01  # they are not all grey


@pytest.mark.parametrize("opset", [13, 24])
def test_other_versions_of_the_operators_make_the_same_pictures(opset: int, tmp_path: Path) -> None:
    generator = settled_generator()
    written = export_onnx(generator, tmp_path / "model.onnx", opset=opset)
    onnx.checker.check_model(written.path, full_check=True)
    assert [entry.version for entry in onnx.load(written.path).opset_import] == [opset]
    inputs = inputs_for(generator, 2, 64, 32)
    assert np.abs(pictures(written.path, inputs) - plain(generator, inputs)).max() <= TOLERANCE


def test_a_file_says_what_it_takes_and_makes(tmp_path: Path) -> None:
    dynamic = export_onnx(settled_generator(), tmp_path / "dynamic.onnx", opset=OPSET)
    assert dynamic.inputs == {
        "label_map": "int64 (batch, height, width)",
        "instance_map": "int64 (batch, height, width)",
    }
    assert dynamic.outputs == {"pictures": "float32 (batch, 3, height, width)"}
    opened = session(dynamic.path)
    assert {value.name: value.shape for value in opened.get_inputs()} == {
        "label_map": ["batch", "height", "width"],
        "instance_map": ["batch", "height", "width"],
    }

    latent = export_onnx(settled_generator(latent_dim=6, width=128), tmp_path / "latent.onnx", opset=OPSET)
    assert latent.inputs["label_map"] == "int64 (batch, 64, 128)"
    assert latent.inputs["z"] == "float32 (batch, 6)"
    assert latent.outputs == {"pictures": "float32 (batch, 3, 64, 128)"}


def test_a_size_that_is_asked_for_is_the_only_one(tmp_path: Path) -> None:
    generator = settled_generator(instance_edges=False)
    fixed = export_onnx(generator, tmp_path / "fixed.onnx", opset=OPSET, size=(32, 96))
    assert fixed.inputs == {"label_map": "int64 (batch, 32, 96)"}
    inputs = inputs_for(generator, 2, 32, 96)
    assert np.abs(pictures(fixed.path, inputs) - plain(generator, inputs)).max() <= TOLERANCE
    with pytest.raises(ConfigError, match="width and height must be multiples of 32"):
        export_onnx(generator, tmp_path / "none.onnx", opset=OPSET, size=(32, 33))
    with pytest.raises(ConfigError, match="makes only 64x64 pictures"):
        export_onnx(settled_generator(latent_dim=6), tmp_path / "none.onnx", opset=OPSET, size=(32, 96))
    assert [path.name for path in tmp_path.iterdir()] == ["fixed.onnx"]


def test_metadata_tells_size_ids_and_what_is_added(tmp_path: Path) -> None:
    generator = settled_generator(height=32)
    written = export_onnx(generator, tmp_path / "model.onnx", opset=OPSET, about={"weights_sha256": "0" * 64})
    found = session(written.path).get_modelmeta().custom_metadata_map
    assert found == written.metadata
    assert GeneratorConfig.from_dict(json.loads(found.pop("generator"))) == generator.config
    assert found == {
        "height": "32",
        "width": "64",
        "size_multiple": "32",
        "label_nc": "5",
        "unknown_id": "5",
        "weights_sha256": "0" * 64,
    }
    without = export_onnx(settled_generator(dont_care=False), tmp_path / "without.onnx", opset=OPSET)
    assert "unknown_id" not in without.metadata


def test_an_id_that_the_model_does_not_have_is_of_no_class(tmp_path: Path) -> None:
    generator = settled_generator(instance_edges=False)
    written = export_onnx(generator, tmp_path / "model.onnx", opset=OPSET)
    made = pictures(written.path, {"label_map": torch.tensor([-1, 6]).repeat_interleave(32 * 32).view(2, 32, 32)})
    with torch.no_grad():
        expected = generator(torch.zeros(2, 6, 32, 32)).numpy()
    assert np.abs(made - expected).max() <= TOLERANCE


def test_the_same_generator_makes_the_same_bytes_and_replaces_what_was_there(tmp_path: Path) -> None:
    generator = settled_generator()
    first = export_onnx(generator, tmp_path / "new" / "model.onnx", opset=OPSET)
    data = first.path.read_bytes()
    assert len(data) == first.bytes
    first.path.write_bytes(b"something else")
    export_onnx(generator, first.path, opset=OPSET)
    assert first.path.read_bytes() == data
    assert [path.name for path in first.path.parent.iterdir()] == ["model.onnx"]


def test_weights_that_no_file_holds_are_refused(tmp_path: Path) -> None:
    form = {"label_nc": 5, "dont_care": True, "instance_edges": True, "height": 256, "width": 256}
    config = GeneratorConfig(**form, base_channels=192, spectral_norm=False)
    with pytest.raises(ConfigError, match=r"^weights of \d\.\d\d GiB: an ONNX file holds less than 2 GiB$"):
        export_onnx(empty_generator(config).eval(), tmp_path / "model.onnx", opset=OPSET)
    assert list(tmp_path.iterdir()) == []
