import dataclasses
from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.testing._internal.distributed.fake_pg import FakeStore

from spade.config import GeneratorConfig, Norm, Upsampling
from spade.errors import ConfigError
from spade.generator import SpadeGenerator
from spade.normalization import SpadeNorm


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


def test_in_a_single_process_syncbatch_is_plain_batch_normalization(tiny: GeneratorConfig) -> None:
    statistics = SpadeNorm(2, dataclasses.replace(tiny, norm=Norm.SYNCBATCH)).statistics
    assert type(statistics) is nn.BatchNorm2d


@pytest.fixture
def _two_processes() -> Iterator[None]:
    torch.distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("_two_processes")
def test_among_several_processes_syncbatch_shares_statistics_and_batch_does_not(tiny: GeneratorConfig) -> None:
    kinds = {norm: type(SpadeNorm(2, dataclasses.replace(tiny, norm=norm)).statistics) for norm in Norm}
    assert kinds == {Norm.SYNCBATCH: nn.SyncBatchNorm, Norm.BATCH: nn.BatchNorm2d, Norm.INSTANCE: nn.InstanceNorm2d}
