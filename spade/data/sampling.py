"""Which samples a process takes in an epoch, and in which order."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spade.data.randomness import Purpose, random_for
from spade.data.samples import SampleKey
from spade.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochSampler:
    """The keys of one process in one epoch.

    All processes go through the same order, taking turns; so a step of W processes with batches of b takes the same
    samples as one process with batches of W·b, and an epoch can be resumed by another number of processes.

    Raises ConfigError: where values are out of range.
    """

    length: int
    """Samples of the dataset."""
    seed: int
    epoch: int
    rank: int = 0
    world_size: int = 1
    shuffle: bool = True
    start: int = 0
    """Samples that all processes together have taken of this epoch already."""
    even: bool = True
    """Whether up to world_size - 1 samples are left out, so that every process has the same number of them."""

    def __post_init__(self) -> None:
        if min(self.length, self.seed, self.epoch) < 0:
            raise ConfigError(f"sampler: length, seed and epoch must be 0 or more: {self}")
        if not 0 <= self.rank < self.world_size:
            raise ConfigError(f"sampler: rank {self.rank} of world_size {self.world_size}; ranks count from 0")
        if not 0 <= self.start <= self.length:
            raise ConfigError(f"sampler: start {self.start} is not within the {self.length} samples of an epoch")

    def __len__(self) -> int:
        return len(range(self.start + self.rank, self._end, self.world_size))

    def __iter__(self) -> Iterator[SampleKey]:
        order = np.arange(self.length)
        if self.shuffle:
            order = random_for(Purpose.ORDER, self.seed, self.epoch).permutation(self.length)
        for index in order[self.start + self.rank : self._end : self.world_size].tolist():
            yield SampleKey(self.epoch, index)

    @property
    def _end(self) -> int:
        left_out = (self.length - self.start) % self.world_size if self.even else 0
        return self.length - left_out
