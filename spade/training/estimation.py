"""The averaged generator made ready for use."""

from collections.abc import Iterator
from typing import Any

from spade.training.config import TrainingConfig
from spade.training.ema import AveragedGenerator
from spade.training.feed import Feed
from spade.training.networks import Generator
from spade.training.noise import SampleNoise
from spade.training.step import semantics_of


def estimated_average(average: AveragedGenerator, config: TrainingConfig, feed: Feed) -> Generator:
    """The average with batch statistics of its own, in evaluation mode.

    The batches are the same each time, so an average has one set of statistics whenever it is asked for. All processes
    have to ask: the statistics are those of all their batches.

    Raises DatasetError: where a sample cannot be read.
    """
    return average.estimated(_arguments(config, feed))


def _arguments(config: TrainingConfig, feed: Feed) -> Iterator[tuple[Any, ...]]:
    latent_dim, device = config.generator.latent_dim, feed.processes.device
    sparse = config.step.sparse_modulation and config.pix2pixhd is None
    noise = None if latent_dim is None else SampleNoise(seed=config.seed, latent_dim=latent_dim, device=device)
    for samples in feed.fixed(config.ema.estimation_batches):
        batch = samples.micro_batches[0]
        inputs = semantics_of(batch, config.generator, sparse=sparse)
        if noise is None:
            yield (inputs,)
        else:
            noise.expect(samples.keys)
            yield inputs, noise(len(batch))
