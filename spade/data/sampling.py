"""Which samples a process takes in an epoch, and in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spade.data.randomness import Purpose, random_for
from spade.data.samples import SampleKey
from spade.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochSampler:
    """The keys of one process in one epoch.

    All processes go through the same order; a step of W processes with batches of b takes the same samples as one
    process with batches of W·b, and an epoch can be resumed by another number of processes. The samples of a step go
    to the processes in turn or, where their work is known, so that each has about as much: who has less waits.

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
    batch_size: int = 1
    """Samples that each process takes in a step."""
    work: Sequence[int] | None = None
    """How much each sample of the dataset takes, in any unit."""

    def __post_init__(self) -> None:
        if min(self.length, self.seed, self.epoch) < 0:
            raise ConfigError(f"sampler: length, seed and epoch must be 0 or more: {self}")
        if not 0 <= self.rank < self.world_size:
            raise ConfigError(f"sampler: rank {self.rank} of world_size {self.world_size}; ranks count from 0")
        if not 0 <= self.start <= self.length:
            raise ConfigError(f"sampler: start {self.start} is not within the {self.length} samples of an epoch")
        if self.batch_size < 1:
            raise ConfigError(f"sampler: batch_size is {self.batch_size}; it must be at least 1")
        if self.work is not None and len(self.work) != self.length:
            raise ConfigError(f"sampler: the work of {len(self.work)} samples is given; there are {self.length}")

    def __len__(self) -> int:
        return (self.length - self.start) // self.world_size

    def __iter__(self) -> Iterator[SampleKey]:
        order = np.arange(self.length)
        if self.shuffle:
            order = random_for(Purpose.ORDER, self.seed, self.epoch).permutation(self.length)
        # Up to world_size - 1 samples are left out, so that every process has the same number of them.
        taken = order[self.start : self.start + len(self) * self.world_size].tolist()
        of_step = self.batch_size * self.world_size
        for first in range(0, len(taken), of_step):
            for index in self._share(taken[first : first + of_step]):
                yield SampleKey(self.epoch, index)

    def _share(self, indices: Sequence[int]) -> Sequence[int]:
        """This process's of the samples of a step, whose number is a multiple of that of the processes."""
        if self.work is None:
            return indices[self.rank :: self.world_size]
        shares: list[list[int]] = [[] for _ in range(self.world_size)]
        loads = [0] * self.world_size
        # The largest first, each to whoever has the least work and a free place.
        for index in sorted(indices, key=self.work.__getitem__, reverse=True):
            free = [rank for rank, share in enumerate(shares) if len(share) < len(indices) // self.world_size]
            rank = min(free, key=loads.__getitem__)
            shares[rank].append(index)
            loads[rank] += self.work[index]
        return shares[self.rank]
