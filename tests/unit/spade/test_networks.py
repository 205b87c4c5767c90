"""Sizes of the networks, held against published figures and recorded shapes."""

from itertools import chain

import pytest
import torch

from spade.config import EncoderConfig, GeneratorConfig, Upsampling
from spade.discriminator import DiscriminatorConfig, MultiscaleDiscriminator, scores, split
from spade.encoder import ImageEncoder, sample_latent
from spade.errors import ConfigError
from spade.generator import SpadeGenerator
from spade.pix2pixhd import Pix2PixHDConfig, Pix2PixHDGenerator
from spade.published import (
    own_discriminator_name,
    own_encoder_name,
    published_discriminator_name,
    published_encoder_name,
    published_pix2pixhd_name,
)

COCO = GeneratorConfig(label_nc=182, dont_care=True, instance_edges=True, height=256, width=256)


def millions(network: torch.nn.Module) -> float:
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


def test_parameters_are_as_many_as_published() -> None:
    with torch.device("meta"):
        assert millions(SpadeGenerator(COCO)) == pytest.approx(97.48, abs=0.005)
        cityscapes = GeneratorConfig(
            label_nc=35, dont_care=False, instance_edges=True, height=256, width=512, upsampling=Upsampling.MORE
        )
        assert millions(SpadeGenerator(cityscapes)) == pytest.approx(93.05, abs=0.005)
        assert millions(MultiscaleDiscriminator(DiscriminatorConfig(in_channels=187))) == pytest.approx(5.90, abs=0.005)
        assert millions(ImageEncoder(EncoderConfig())) == pytest.approx(10.46, abs=0.05)
        pix2pixhd = Pix2PixHDConfig(label_nc=182, dont_care=True, instance_edges=True)
        assert millions(Pix2PixHDGenerator(pix2pixhd)) == pytest.approx(183.0, abs=0.05)


def test_feature_maps_of_the_discriminator_have_the_published_sizes() -> None:
    network = MultiscaleDiscriminator(DiscriminatorConfig(in_channels=7, base_channels=2)).eval()
    features = network(torch.zeros(1, 4, 256, 256), torch.zeros(1, 3, 256, 256))
    assert [[layer.shape[-1] for layer in scale] for scale in features] == [[129, 65, 33, 34, 35], [65, 33, 17, 18, 19]]
    assert [score.shape[1] for score in scores(features)] == [1, 1]


def test_pictures_that_share_their_semantics_are_judged_as_if_each_had_its_own() -> None:
    torch.manual_seed(0)
    network = MultiscaleDiscriminator(DiscriminatorConfig(in_channels=7, base_channels=2)).eval()
    semantics, pictures = torch.rand(2, 4, 64, 64), torch.rand(4, 3, 64, 64)
    shared = network(semantics, pictures)
    repeated = network(torch.cat([semantics, semantics]), pictures)
    for ours, theirs in zip(chain.from_iterable(shared), chain.from_iterable(repeated), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_a_judgement_splits_into_its_halves() -> None:
    network = MultiscaleDiscriminator(DiscriminatorConfig(in_channels=7, base_channels=2)).eval()
    features = network(torch.rand(1, 4, 64, 64), torch.rand(2, 3, 64, 64))
    first, second = split(features)
    for scale, one, other in zip(features, first, second, strict=True):
        assert all(torch.equal(layer, torch.cat(pair)) for layer, *pair in zip(scale, one, other, strict=True))


@pytest.mark.parametrize("spectral", [False, True])
def test_pix2pixhd_makes_pictures_with_and_without_spectral_norm(spectral: bool) -> None:
    config = Pix2PixHDConfig(
        label_nc=4,
        dont_care=False,
        instance_edges=False,
        base_channels=2,
        downsamplings=2,
        blocks=1,
        spectral_norm=spectral,
    )
    pictures = Pix2PixHDGenerator(config)(torch.rand(1, 4, 32, 64))
    assert pictures.shape == (1, 3, 32, 64)
    assert pictures.abs().max() <= 1


def test_the_encoder_takes_any_size_and_its_sample_is_repeatable() -> None:
    encoder = ImageEncoder(EncoderConfig(latent_dim=8, base_channels=2)).eval()
    mean, log_variance = encoder(torch.rand(2, 3, 96, 160))
    assert mean.shape == log_variance.shape == (2, 8)
    assert torch.equal(sample_latent(mean, log_variance, torch.zeros(2, 8)), mean)


def test_published_names_map_both_ways() -> None:
    discriminator = MultiscaleDiscriminator(DiscriminatorConfig(in_channels=7, base_channels=2))
    for own in discriminator.state_dict():
        published = published_discriminator_name(own, layers=4)
        assert own_discriminator_name(published) == own
    assert "discriminator_1.model3.0.0.weight_orig" in {
        published_discriminator_name(own, layers=4) for own in discriminator.state_dict()
    }
    encoder = ImageEncoder(EncoderConfig(base_channels=2))
    assert all(own_encoder_name(published_encoder_name(own)) == own for own in encoder.state_dict())
    config = Pix2PixHDConfig(
        label_nc=4, dont_care=False, instance_edges=False, base_channels=2, downsamplings=4, blocks=9
    )
    published = {published_pix2pixhd_name(own, config) for own in Pix2PixHDGenerator(config).state_dict()}
    assert {"model.1.0.weight", "model.9.0.weight", "model.11.conv_block.1.0.weight", "model.29.bias"} <= published
    assert len(published) == len(Pix2PixHDGenerator(config).state_dict())


@pytest.mark.parametrize(
    "make",
    [
        lambda: DiscriminatorConfig(in_channels=0),
        lambda: DiscriminatorConfig(in_channels=7, layers=1),
        lambda: EncoderConfig(latent_dim=0),
        lambda: Pix2PixHDConfig(label_nc=4, dont_care=False, instance_edges=False, kernel_size=4),
        lambda: Pix2PixHDConfig(label_nc=-1, dont_care=False, instance_edges=False),
        lambda: Pix2PixHDConfig(label_nc=4, dont_care=False, instance_edges=False, kernel_size=-1),
        lambda: Pix2PixHDConfig(label_nc=4, dont_care=False, instance_edges=False, blocks=-1),
    ],
)
def test_impossible_architectures_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ConfigError):
        make()
