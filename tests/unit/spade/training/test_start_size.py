"""Weights with a latent, at another size of pictures than they were trained at."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from spade.checkpoint import save_network
from spade.evaluation.dataset_options import at_size
from spade.generator import SpadeGenerator
from spade.training.config import TrainingConfig
from spade.training.networks import Networks
from spade.training.start import start_from
from spade.training.start_config import StartConfig

NetworksOf = Callable[[TrainingConfig], Networks]


def started_at(
    height: int, width: int, trained: SpadeGenerator, config: TrainingConfig, networks_of: NetworksOf, file: Path
) -> tuple[SpadeGenerator, tuple[str, ...]]:
    save_network(file, trained)
    dataset = replace(config.dataset, **at_size(height, width))
    generator = replace(config.generator, height=height, width=width)
    networks = networks_of(replace(config, dataset=dataset, generator=generator, seed=7))
    started = start_from(StartConfig(weights=str(file)), networks)
    assert isinstance(networks.generator, SpadeGenerator)
    return networks.generator, started.notes


def test_the_first_features_are_resized_and_all_else_is_as_it_was(
    vae_config: TrainingConfig, networks_of: NetworksOf, tmp_path: Path
) -> None:
    small = networks_of(vae_config).generator
    assert isinstance(small, SpadeGenerator)
    nn.init.normal_(small.start.bias)
    large, notes = started_at(192, 128, small, vae_config, networks_of, tmp_path / "small.safetensors")
    assert notes[-1] == "generator: was trained at 64x64; its first features are resized to those of 128x192"
    z = torch.randn(3, 4)
    channels = 16 * vae_config.generator.base_channels
    before, after = small.start(z).view(3, channels, 2, 2), large.start(z).view(3, channels, 6, 4)
    expected = functional.interpolate(before, size=(6, 4), mode="bilinear", align_corners=False)
    torch.testing.assert_close(after, expected)
    theirs = small.state_dict()
    others = [name for name in theirs if not name.startswith("start.")]
    assert all(torch.equal(large.state_dict()[name], theirs[name]) for name in others)


def test_at_the_same_size_nothing_is_resized(
    vae_config: TrainingConfig, networks_of: NetworksOf, tmp_path: Path
) -> None:
    small = networks_of(vae_config).generator
    assert isinstance(small, SpadeGenerator)
    same, notes = started_at(64, 64, small, vae_config, networks_of, tmp_path / "small.safetensors")
    assert torch.equal(same.start.weight, small.start.weight)
    assert not any("resized" in note for note in notes)


def test_without_a_latent_no_layer_knows_the_size(
    tiny_config: TrainingConfig, networks_of: NetworksOf, tmp_path: Path
) -> None:
    small = networks_of(tiny_config).generator
    assert isinstance(small, SpadeGenerator)
    large, notes = started_at(128, 128, small, tiny_config, networks_of, tmp_path / "small.safetensors")
    assert torch.equal(large.start.weight, small.start.weight)
    assert not any("resized" in note for note in notes)
