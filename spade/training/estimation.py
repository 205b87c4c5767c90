"""The averaged generator made ready for use."""

from collections.abc import Iterator
from typing import Any

import torch

from spade.data.samples import TrainingBatch
from spade.training.config import TrainingConfig
from spade.training.feed import Feed
from spade.training.networks import Generator
from spade.training.noise import SampleNoise
from spade.training.state import RunState
from spade.training.step import semantics_of


def estimated_average(state: RunState, feed: Feed, device: torch.device) -> Generator | None:
    """The average with batch statistics of its own, in evaluation mode; None where the run keeps none.

    The batches are the same each time, so an average has one set of statistics whenever it is asked for. All processes
    have to ask: the statistics are those of all their batches.

    Raises DatasetError: where a sample cannot be read.
    """
    if state.average is None:
        return None
    return state.average.estimated(_arguments(state.config, feed, device))


def _arguments(config: TrainingConfig, feed: Feed, device: torch.device) -> Iterator[tuple[Any, ...]]:
    latent_dim = config.generator.latent_dim
    noise = None if latent_dim is None else SampleNoise(seed=config.seed, latent_dim=latent_dim, device=device)
    for samples in feed.fixed(config.ema.estimation_batches):
        batch: TrainingBatch = samples.micro_batches[0]
        inputs = semantics_of(batch, config.generator, sparse=config.step.sparse_modulation)
        if noise is None:
            yield (inputs,)
        else:
            noise.expect(samples.keys)
            yield inputs, noise(len(batch))
