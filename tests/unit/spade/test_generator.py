import dataclasses

import pytest
import torch
from torch import nn

from spade.config import GeneratorConfig, Norm, Upsampling
from spade.errors import ConfigError
from spade.generator import SpadeGenerator
from spade.normalization import SpadeNorm
from spade.statistics import BatchStatistics


def semantics_of(config: GeneratorConfig, height: int, width: int, *, batch: int = 1) -> torch.Tensor:
    random = torch.Generator().manual_seed(height + width)
    return torch.rand((batch, config.semantic_channels, height, width), generator=random).round()


@pytest.mark.parametrize("upsampling", list(Upsampling))
@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize(("latent_dim", "kernel_size"), [(None, 3), (6, 5)])
def test_every_variant_makes_pictures_of_the_size_of_its_label_map(
    tiny: GeneratorConfig, upsampling: Upsampling, norm: Norm, latent_dim: int | None, kernel_size: int
) -> None:
    config = dataclasses.replace(
        tiny,
        upsampling=upsampling,
        norm=norm,
        latent_dim=latent_dim,
        kernel_size=kernel_size,
        base_channels=2,
        height=128,
        width=256,
    )
    generator = SpadeGenerator(config).eval()
    z = None if latent_dim is None else torch.zeros((2, latent_dim))
    with torch.inference_mode():
        pictures = generator(semantics_of(config, 128, 256, batch=2), z)
    assert pictures.shape == (2, 3, 128, 256)
    assert pictures.abs().max() <= 1


def test_without_a_latent_any_multiple_fits(tiny: GeneratorConfig) -> None:
    generator = SpadeGenerator(tiny).eval()
    for height, width in [(32, 32), (96, 64), (64, 160)]:
        with torch.inference_mode():
            assert generator(semantics_of(tiny, height, width)).shape == (1, 3, height, width)
    with pytest.raises(ConfigError, match="40x32"):
        generator(semantics_of(tiny, 32, 40))


def test_semantics_with_another_number_of_channels_are_refused(tiny: GeneratorConfig) -> None:
    with pytest.raises(ConfigError, match="3 channels; this generator reads 6"):
        SpadeGenerator(tiny)(torch.zeros((1, 3, 32, 64)))


def test_a_latent_is_needed_with_one_and_refused_without(tiny: GeneratorConfig) -> None:
    semantics = semantics_of(tiny, 32, 64)
    with pytest.raises(ConfigError, match="a generator that has none"):
        SpadeGenerator(tiny)(semantics, torch.zeros((1, 6)))
    with_latent = SpadeGenerator(dataclasses.replace(tiny, latent_dim=6))
    with pytest.raises(ConfigError, match=r"none given; this generator needs \(1, 6\)"):
        with_latent(semantics)
    with pytest.raises(ConfigError, match=r"\(1, 5\) given"):
        with_latent(semantics, torch.zeros((1, 5)))


def test_the_output_multiplier_acts_before_tanh(tiny: GeneratorConfig) -> None:
    plain = SpadeGenerator(tiny).eval()
    plain.to_image.weight.data.zero_()
    plain.to_image.bias.data.fill_(1.0)
    halved = SpadeGenerator(dataclasses.replace(tiny, output_multiplier=0.5)).eval()
    halved.load_state_dict(plain.state_dict())
    semantics = semantics_of(tiny, 32, 64)
    with torch.inference_mode():
        assert torch.allclose(plain(semantics), torch.tanh(torch.tensor(1.0)))
        assert torch.allclose(halved(semantics), torch.tanh(torch.tensor(0.5)))


def test_the_state_keeps_the_vectors_of_spectral_norm(tiny: GeneratorConfig) -> None:
    state = SpadeGenerator(tiny).state_dict()
    assert "up_0.conv_skip.parametrizations.weight.0._u" in state
    folded = SpadeGenerator(dataclasses.replace(tiny, spectral_norm=False)).state_dict()
    assert "up_0.conv_skip.weight" in folded


def test_the_published_coco_generator_has_97_and_a_half_million_weights() -> None:
    config = GeneratorConfig(label_nc=182, dont_care=True, instance_edges=True, height=256, width=256)
    with torch.device("meta"):
        generator = SpadeGenerator(config)
    assert len(generator.state_dict()) == 234
    assert round(sum(weight.numel() for weight in generator.parameters()) / 1e6, 2) == 97.48


def test_only_syncbatch_shares_statistics_between_processes(tiny: GeneratorConfig) -> None:
    layers = {norm: SpadeNorm(2, dataclasses.replace(tiny, norm=norm)).statistics for norm in Norm}
    shared = {norm: layer.synchronized for norm, layer in layers.items() if isinstance(layer, BatchStatistics)}
    assert shared == {Norm.BATCH: False, Norm.SYNCBATCH: True}
    assert isinstance(layers[Norm.INSTANCE], nn.InstanceNorm2d)
