"""Run by torchrun, or alone: one training step of each kind on the same global batch; writes the gradients to a file.

python gradients_worker.py OUT.pt CASE...
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spade.blocks import SpadeBlock
from spade.config import EncoderConfig, GeneratorConfig
from spade.data.samples import SampleKey, TrainingBatch
from spade.discriminator import DiscriminatorConfig
from spade.training.distributed import Processes, joined_processes
from spade.training.networks import InitConfig, build_networks
from spade.training.noise import SampleNoise
from spade.training.objective import LossConfig
from spade.training.optimizers import OptimizerConfig, build_optimizers
from spade.training.run import scaled_to_global_batch
from spade.training.step import StepConfig, TrainingStep

GLOBAL_BATCH = 4
SIDE = 64
GENERATOR = GeneratorConfig(
    label_nc=3, dont_care=True, instance_edges=False, height=SIDE, width=SIDE, base_channels=2, hidden_channels=4
)
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "dense": {"step": StepConfig(sparse_modulation=False)},
    "vae": {"latent_dim": 8},
    "accumulating": {"latent_dim": 8, "accumulation": 2},
    "recomputing": {"recomputes": True},
    "exact": {"latent_dim": 8, "step": StepConfig(exact_published=True)},
}


def main() -> None:
    torch.set_num_threads(1)
    with joined_processes(os.environ, "cpu") as processes:
        out, *names = sys.argv[1:]
        gradients = {name: gradients_of(processes, **CASES[name]) for name in names}
        if processes.is_first:
            torch.save(gradients, Path(out))


def gradients_of(
    processes: Processes,
    *,
    latent_dim: int | None = None,
    accumulation: int = 1,
    step: StepConfig | None = None,
    recomputes: bool = False,
) -> dict[str, Tensor]:
    """Gradients at each optimizer step and the losses, by name."""
    # A seed at which no activation is so close to zero that rounding decides which slope of a leaky ReLU it meets.
    torch.manual_seed(2)
    config = replace(GENERATOR, latent_dim=latent_dim)
    networks = build_networks(
        config,
        DiscriminatorConfig(in_channels=config.semantic_channels + 3, base_channels=4),
        EncoderConfig(latent_dim=latent_dim, base_channels=2) if latent_dim else None,
        InitConfig(gain=1.0),
    )
    for block in networks.generator.modules():
        if isinstance(block, SpadeBlock):
            block.recomputes = recomputes
    optimizers = build_optimizers(networks, OptimizerConfig())
    found: dict[str, Tensor] = {}
    collect(networks.generator, "generator", optimizers.generator, found)
    collect(networks.discriminator, "discriminator", optimizers.discriminator, found)
    if networks.encoder is not None:
        collect(networks.encoder, "encoder", optimizers.generator, found)

    noise = SampleNoise(seed=1, latent_dim=latent_dim or 1, device=processes.device)
    training = TrainingStep(
        networks,
        optimizers,
        semantics=config,
        losses=scaled_to_global_batch(LossConfig(), processes.count * accumulation),
        config=step or StepConfig(),
        noise=noise if latent_dim else None,
        wrap=processes.wrap,
    )
    of_process = list(range(processes.rank, GLOBAL_BATCH, processes.count))
    size = len(of_process) // accumulation
    parts = [of_process[start : start + size] for start in range(0, len(of_process), size)]
    noise.expect([SampleKey(1, index) for index in of_process])
    result = training.run([batch_of(part) for part in parts])
    names = list(result.losses)
    means = processes.mean(torch.stack([result.losses[name] for name in names]))
    return found | {f"loss.{name}": mean for name, mean in zip(names, means, strict=True)}


def collect(network: nn.Module, name: str, optimizer: torch.optim.Optimizer, found: dict[str, Tensor]) -> None:
    def keep(*_: object) -> None:
        for key, parameter in network.named_parameters():
            assert parameter.grad is not None, f"{name}.{key} has no gradient"
            found[f"{name}.{key}"] = parameter.grad.clone()

    optimizer.register_step_pre_hook(keep)


def batch_of(indices: list[int]) -> TrainingBatch:
    """Samples with few label windows and with many, so that processes take different ways through the step."""
    labels, pictures = [], []
    for index in indices:
        random = torch.Generator().manual_seed(index)
        cell = SIDE if index % 2 else 4
        coarse = torch.randint(0, 4, (SIDE // cell, SIDE // cell), generator=random)
        labels.append(coarse.repeat_interleave(cell, 0).repeat_interleave(cell, 1))
        pictures.append(torch.rand((3, SIDE, SIDE), generator=random) * 2 - 1)
    names = tuple(str(index) for index in indices)
    return TrainingBatch(labels=torch.stack(labels), instances=None, pictures=torch.stack(pictures), names=names)


if __name__ == "__main__":
    main()
