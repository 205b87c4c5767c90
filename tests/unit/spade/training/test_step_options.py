"""Recomputation and half precision change memory and speed, not what is learned."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from spade.blocks import SpadeBlock
from spade.config import Precision
from spade.data.samples import TrainingBatch
from spade.records import record_to_mapping
from spade.spectral import SpectralNorm
from spade.statistics import BatchStatistics
from spade.training.config import TrainingConfig
from spade.training.presets import complete_config
from spade.training.step import StepConfig, TrainingStep

Build = Callable[..., TrainingStep]


def train(step: TrainingStep, batch: TrainingBatch, steps: int = 2) -> dict[str, float]:
    for _ in range(steps):
        losses = step.run([batch]).losses
    return {name: float(loss) for name, loss in losses.items()}


@pytest.mark.parametrize("exact", [False, True])
def test_recomputation_gives_the_same_losses_and_the_same_state(
    tiny_config: TrainingConfig, step_of: Build, batch: TrainingBatch, exact: bool
) -> None:
    config = replace(tiny_config, step=StepConfig(exact_published=exact))
    plain, recomputing = step_of(config), step_of(config)
    blocks = [module for module in recomputing.networks.generator.modules() if isinstance(module, SpadeBlock)]
    for block in blocks:
        block.recomputes = True
    assert len(blocks) == 7
    assert train(plain, batch) == train(recomputing, batch)
    for (name, expected), (_, found) in zip(plain.networks.named(), recomputing.networks.named(), strict=True):
        for key, tensor in expected.state_dict().items():
            assert torch.equal(tensor, found.state_dict()[key]), f"{name}.{key}"


def test_recomputation_keeps_fewer_activations(
    tiny_config: TrainingConfig, step_of: Build, batch: TrainingBatch
) -> None:
    def bytes_kept(recomputes: bool) -> int:
        step = step_of(tiny_config)
        for module in step.networks.generator.modules():
            if isinstance(module, SpadeBlock):
                module.recomputes = recomputes
        kept: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            step.run([batch])
        return sum(kept.values())

    assert bytes_kept(True) < bytes_kept(False)


@pytest.mark.parametrize("precision", [Precision.BFLOAT16, Precision.FLOAT16])
def test_half_precision_comes_close_and_keeps_what_must_be_exact_in_float32(
    tiny_config: TrainingConfig, step_of: Build, batch: TrainingBatch, precision: Precision
) -> None:
    half = replace(tiny_config, step=StepConfig(precision=precision))
    step = step_of(half)
    seen: dict[str, torch.dtype] = {}
    for name, module in step.networks.generator.named_modules():
        if isinstance(module, SpectralNorm | BatchStatistics):
            module.register_forward_hook(lambda _m, _i, output, name=name: seen.update({name: output.dtype}))
    convolution = step.networks.discriminator.scales[0].convolutions[1]
    convolution.register_forward_hook(lambda _m, _i, output: seen.update({"convolution": output.dtype}))
    losses = train(step, batch, steps=1)

    assert seen.pop("convolution") == {Precision.BFLOAT16: torch.bfloat16, Precision.FLOAT16: torch.float16}[precision]
    assert set(seen.values()) == {torch.float32}
    assert {value.dtype for value in step.networks.generator.state_dict().values()} <= {torch.float32, torch.int64}
    expected = train(step_of(tiny_config), batch, steps=1)
    assert losses == pytest.approx(expected, rel=0.03, abs=0.03)


def test_float16_scales_its_losses_and_leaves_out_a_step_that_overflows(
    tiny_config: TrainingConfig, step_of: Build, batch: TrainingBatch
) -> None:
    step = step_of(replace(tiny_config, step=StepConfig(precision=Precision.FLOAT16)))
    assert step.scaler.is_enabled()
    step.run([batch])
    scale = step.scaler.get_scale()
    before = {key: tensor.clone() for key, tensor in step.networks.discriminator.named_parameters()}
    spoilt = replace(batch, pictures=torch.full_like(batch.pictures, float("inf")))
    step.run([spoilt])
    assert step.scaler.get_scale() == scale / 2
    for key, parameter in step.networks.discriminator.named_parameters():
        assert torch.equal(parameter, before[key]), key


def test_a_pix2pixhd_generator_trains_too(tiny_config: TrainingConfig, batch: TrainingBatch, step_of: Build) -> None:
    given: dict[str, Any] = record_to_mapping(tiny_config) | {"pix2pixhd": {"base_channels": 2, "blocks": 1}}
    config = complete_config(given)
    first, last = train(step_of(config), batch, steps=1), train(step_of(config), batch, steps=3)
    assert last != first


def test_the_discriminator_may_take_several_steps_for_each_of_the_generator(
    tiny_config: TrainingConfig, step_of: Build, batch: TrainingBatch
) -> None:
    config = StepConfig(discriminator_steps=3)
    assert [config.generator_learns(step) for step in range(5)] == [True, False, False, True, False]
    step = step_of(replace(tiny_config, step=config))
    networks = step.networks
    before = {name: copy.deepcopy(list(module.parameters())) for name, module in networks.named()}
    losses = step.run([batch], generator_learns=False).losses
    assert set(losses) == {"D_Fake", "D_real"}
    assert all(map(torch.equal, before["generator"], networks.generator.parameters()))
    assert not any(map(torch.equal, before["discriminator"], networks.discriminator.parameters()))
    assert "GAN" in step.run([batch]).losses
