"""How fast an iteration of training is, and how much memory it takes: the plain path against the fast one.

`published` is the iteration as published, on one-hot tensors; `plain` runs each network once, on one-hot tensors;
`fast` runs each network once and computes modulation on distinct windows. `plain` and `fast` are the same mathematics,
so their losses are compared.
"""

import statistics
import time
from dataclasses import dataclass
from typing import Final

import torch

from spade.allocator import keep_freed_memory
from spade.benchmarks.iteration import training_step
from spade.benchmarks.memory import peak_memory_alone
from spade.config import GeneratorConfig
from spade.data.samples import TrainingBatch
from spade.training.step import StepConfig, TrainingStep

PATHS: Final = {
    "published": StepConfig(exact_published=True, sparse_modulation=False),
    "plain": StepConfig(sparse_modulation=False),
    "fast": StepConfig(sparse_modulation=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFigures:
    """Of one path. Seconds are medians over the rounds, in a process that keeps freed memory, as training does.

    Memory is the peak of a process that ran the path alone and gave freed memory back: what the path needs. What is
    kept beyond that is the C library's affair: about as much for every path, and other by a tenth from run to run.
    """

    seconds: float
    pictures_per_second: float
    peak_memory_bytes: int
    losses: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFigures:
    """Of all paths, with the ratios that matter."""

    threads: int
    paths: dict[str, PathFigures]
    speedup_over_published: float
    speedup_over_plain: float
    memory_of_fast_over_plain: float
    largest_loss_difference: float
    """Relative, between `plain` and `fast`, whose weights and pictures are the same."""


def measure_training(
    config: GeneratorConfig, batch: TrainingBatch, *, rounds: int, threads: int, discriminator_channels: int = 64
) -> TrainingFigures:
    """Time every path in turn, `rounds` times over, after one iteration to warm up, whose losses are compared."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    steps = {name: training_step(config, discriminator_channels, path) for name, path in PATHS.items()}
    losses = {name: _losses(step, batch) for name, step in steps.items()}
    seconds: dict[str, list[float]] = {name: [] for name in PATHS}
    for _ in range(rounds):
        for name, step in steps.items():
            started = time.perf_counter()
            step.run([batch])
            seconds[name].append(time.perf_counter() - started)
    del steps
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    memory = {
        name: peak_memory_alone(_run_alone, config, batch, discriminator_channels, name, threads) for name in PATHS
    }
    paths = {
        name: PathFigures(
            seconds=medians[name],
            pictures_per_second=len(batch) / medians[name],
            peak_memory_bytes=memory[name],
            losses=losses[name],
        )
        for name in PATHS
    }
    return TrainingFigures(
        threads=threads,
        paths=paths,
        speedup_over_published=medians["published"] / medians["fast"],
        speedup_over_plain=medians["plain"] / medians["fast"],
        memory_of_fast_over_plain=memory["fast"] / memory["plain"],
        largest_loss_difference=max(
            abs(losses["fast"][name] - value) / abs(value) for name, value in losses["plain"].items()
        ),
    )


def _losses(step: TrainingStep, batch: TrainingBatch) -> dict[str, float]:
    return {name: loss.item() for name, loss in step.run([batch]).losses.items()}


def _run_alone(
    config: GeneratorConfig, batch: TrainingBatch, discriminator_channels: int, path: str, threads: int
) -> None:
    torch.set_num_threads(threads)
    step = training_step(config, discriminator_channels, PATHS[path])
    for _ in range(2):  # the optimizers' moments, there from the first one's end, lie beside the second's activations
        step.run([batch])
