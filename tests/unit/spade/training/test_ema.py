"""The average of the generator's weights, and the statistics that it needs before it is used."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from spade.data.samples import TrainingBatch
from spade.generator import SpadeGenerator
from spade.statistics import BatchStatistics
from spade.training.config import TrainingConfig
from spade.training.ema import AveragedGenerator
from spade.training.networks import Networks
from spade.training.step import semantics_of

Build = Callable[[TrainingConfig], Networks]


def test_the_average_follows_the_weights_as_the_decay_says(tiny_config: TrainingConfig, networks_of: Build) -> None:
    generator = networks_of(tiny_config).generator
    average = AveragedGenerator(generator, decay=0.5)
    expected = generator.to_image.bias.detach().clone()
    for step in range(40):
        with torch.no_grad():
            generator.to_image.bias.add_(0.1)
        average.update(generator)
        expected.lerp_(generator.to_image.bias.detach(), 1 - min(0.5, (1 + step) / (10 + step)))
    found = average.state_dict()["generator"]["to_image.bias"]
    torch.testing.assert_close(found, expected)
    # Long after the start it trails behind by step / (1 - decay) less one step.
    assert float((generator.to_image.bias.detach() - found).mean()) == pytest.approx(0.1, rel=1e-3)


def test_statistics_of_the_average_are_the_means_over_its_own_passes(
    tiny_config: TrainingConfig, networks_of: Build, batch: TrainingBatch
) -> None:
    # Without spectral norm, whose weights change from pass to pass.
    config = replace(tiny_config, generator=replace(tiny_config.generator, spectral_norm=False))
    generator = networks_of(config).generator
    inputs = [semantics_of(one, config.generator, sparse=True) for one in halves(batch)]
    estimated = AveragedGenerator(generator, decay=0.9).estimated((one,) for one in inputs)

    seen: list[torch.Tensor] = []
    first = generator.head.norm_0.statistics
    generator.head.norm_0.register_forward_hook(lambda _module, arguments, _output: seen.append(arguments[0].detach()))
    with torch.no_grad():
        for one in inputs:
            generator(one)
    assert isinstance(estimated, SpadeGenerator)
    assert not estimated.training
    found = estimated.head.norm_0.statistics
    torch.testing.assert_close(found.running_mean, torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0))
    torch.testing.assert_close(found.running_var, torch.stack([x.var((0, 2, 3)) for x in seen]).mean(0))
    assert found.momentum == first.momentum


def test_estimating_finds_the_spectral_norms_of_the_averaged_weights_and_changes_no_state(
    tiny_config: TrainingConfig, networks_of: Build, batch: TrainingBatch
) -> None:
    generator = networks_of(tiny_config).generator
    average = AveragedGenerator(generator, decay=0.9)
    before = {key: tensor.clone() for key, tensor in average.state_dict()["generator"].items()}
    inputs = semantics_of(batch, tiny_config.generator, sparse=True)
    estimated = average.estimated((inputs,) for _ in range(60))
    norm = torch.linalg.matrix_norm(estimated.middle_0.conv_0.weight.flatten(1), 2)
    assert float(norm) == pytest.approx(1, abs=0.02)
    for key, tensor in average.state_dict()["generator"].items():
        assert torch.equal(tensor, before[key]), key
    assert any(isinstance(module, BatchStatistics) for module in estimated.modules())


def test_the_average_takes_up_a_saved_state_or_begins_anew(tiny_config: TrainingConfig, networks_of: Build) -> None:
    generator = networks_of(tiny_config).generator
    saved, other = (AveragedGenerator(generator, decay=0.9) for _ in range(2))
    with torch.no_grad():
        generator.to_image.bias.add_(1)
    saved.update(generator)
    other.load_state_dict(saved.state_dict())
    assert torch.equal(
        other.state_dict()["generator"]["to_image.bias"], saved.state_dict()["generator"]["to_image.bias"]
    )
    other.restart(generator)
    assert torch.equal(other.state_dict()["generator"]["to_image.bias"], generator.to_image.bias)
    assert other.state_dict()["updates"] == 0


def halves(batch: TrainingBatch) -> list[TrainingBatch]:
    return [
        replace(batch, labels=batch.labels[i : i + 1], pictures=batch.pictures[i : i + 1], names=batch.names[i : i + 1])
        for i in range(2)
    ]
