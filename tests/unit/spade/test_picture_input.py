"""Models that read pictures instead of class ids (label_nc 0): what they compute, and who refuses them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model_store.card import LabelClass, ModelCard, Training, WeightsInfo
from model_store.errors import CardError
from spade.checkpoint import load_generator, save_network
from spade.config import GeneratorConfig
from spade.engine.engine import Engine
from spade.errors import ConfigError
from spade.generator import SpadeGenerator
from spade.labels import dense_semantics
from spade.onnx_export.file import export_onnx
from spade.pix2pixhd import Pix2PixHDConfig
from spade.published_import import PublishedHints, import_generator
from spade.semantics import SparseSemantics
from spade.semantics_form import semantic_channels
from spade.synthesis import Synthesizer, to_pixels


@pytest.fixture
def config(tiny: GeneratorConfig) -> GeneratorConfig:
    return replace(tiny, label_nc=0, dont_care=False, instance_edges=False)


def pictures(count: int = 2) -> Tensor:
    return torch.rand((count, 3, 32, 64), generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_channels_are_those_of_a_picture_and_borders_between_instances(config: GeneratorConfig) -> None:
    assert semantic_channels(config) == 3
    assert replace(config, instance_edges=True).semantic_channels == 4
    assert Pix2PixHDConfig(label_nc=0, dont_care=False, instance_edges=True).semantic_channels == 4
    with pytest.raises(ConfigError, match="generator: label_nc is 0, for pictures as input, which have no unknown"):
        replace(config, dont_care=True)
    with pytest.raises(ConfigError, match="pix2pixHD: label_nc is -1; it must be at least 1, or 0 for pictures"):
        Pix2PixHDConfig(label_nc=-1, dont_care=False, instance_edges=True)


def test_semantics_are_the_picture_itself(config: GeneratorConfig) -> None:
    assert torch.equal(dense_semantics(pictures(), None, config), pictures())
    with_edges = replace(config, instance_edges=True)
    instances = torch.zeros((2, 32, 64), dtype=torch.long)
    instances[:, 16:] = 5
    semantics = dense_semantics(pictures(), instances, with_edges)
    assert torch.equal(semantics[:, :3], pictures())
    assert semantics[:, 3].sum(dim=(1, 2)).tolist() == [128, 128]
    with pytest.raises(ConfigError, match="reads borders between instances too, so it needs instance maps"):
        dense_semantics(pictures(), None, with_edges)


@pytest.mark.parametrize("wrong", [torch.zeros((1, 32, 64)), torch.zeros((1, 3, 32, 64), dtype=torch.long)])
def test_what_is_no_picture_is_refused(config: GeneratorConfig, wrong: Tensor) -> None:
    with pytest.raises(ConfigError, match=r"they must be floats \(B, 3, H, W\)"):
        dense_semantics(wrong, None, config)


@pytest.mark.parametrize("latent_dim", [None, 4])
def test_a_synthesizer_makes_what_the_plain_network_makes_from_a_file(
    config: GeneratorConfig, latent_dim: int | None, tmp_path: Path
) -> None:
    config = replace(config, latent_dim=latent_dim)
    torch.manual_seed(0)
    save_network(tmp_path / "a.safetensors", SpadeGenerator(config))
    assert load_generator(tmp_path / "a.safetensors").config == config
    synthesizer = Synthesizer.from_file(tmp_path / "a.safetensors", device=torch.device("cpu"))
    made = synthesizer.synthesize(pictures().numpy(), None, [3, 4])
    z = None
    if latent_dim is not None:
        z = torch.stack([torch.randn(4, generator=torch.Generator().manual_seed(seed)) for seed in (3, 4)])
    with torch.no_grad():
        expected = to_pixels(load_generator(tmp_path / "a.safetensors")(pictures(), z))
    assert np.abs(made.astype(int) - expected).max() <= 1
    with pytest.raises(ConfigError, match="with no instance maps and 1 seeds"):
        synthesizer.synthesize(pictures().numpy(), None, [3])


def test_a_published_file_of_such_a_model_is_imported(
    config: GeneratorConfig, published_state: Callable[[GeneratorConfig], dict[str, Tensor]], tmp_path: Path
) -> None:
    for edges in (False, True):
        wanted = replace(config, instance_edges=edges)
        torch.save(published_state(wanted), tmp_path / "latest_net_G.pth")
        hints = PublishedHints(label_nc=0, size=(32, 64), upsampling=config.upsampling)
        assert import_generator(tmp_path / "latest_net_G.pth", hints).config == wanted


def test_what_needs_class_ids_refuses_it(config: GeneratorConfig, tmp_path: Path) -> None:
    generator = SpadeGenerator(config)
    reads_pictures = r"need class ids, but this model reads pictures \(label_nc 0\)"
    with pytest.raises(ConfigError, match=f"the engine's tables {reads_pictures}"):
        Engine.from_generator(generator)
    with pytest.raises(ConfigError, match=f"ONNX files {reads_pictures}"):
        export_onnx(generator, tmp_path / "a.onnx", opset=17)
    with pytest.raises(ConfigError, match=f"windows of label maps {reads_pictures}"):
        SparseSemantics(torch.zeros((1, 32, 64), dtype=torch.long), None, config)


@pytest.mark.parametrize("classes", [(), (LabelClass(id=0, name="sky", color="#9ceedd"),)])
def test_it_has_no_card_so_that_no_worker_ever_loads_it(
    config: GeneratorConfig, classes: tuple[LabelClass, ...]
) -> None:
    with pytest.raises(CardError, match=r"a model that reads pictures \(label_nc 0\) cannot be served"):
        ModelCard(
            name="sketches",
            version="1",
            title="Sketches",
            description="From drawings to photographs.",
            training=Training.TRAINED,
            licence="unstated",
            data="mine",
            generator=config,
            classes=classes,
            weights=WeightsInfo(sha256="0" * 64, bytes=1),
        )
