"""Noise for the latent of the VAE variant."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from spade.data.randomness import Purpose, random_for
from spade.data.samples import SampleKey


class SampleNoise:
    """Standard normal noise that depends on the sample and the epoch and on nothing else.

    So N processes draw what one process draws, and a run that resumes what it would have drawn.
    """

    def __init__(self, *, seed: int, latent_dim: int, device: torch.device) -> None:
        self._seed = seed
        self._latent_dim = latent_dim
        self._device = device
        self._keys: Sequence[SampleKey] = ()
        self._drawn = 0

    def expect(self, keys: Sequence[SampleKey]) -> None:
        """Names the samples of the coming step of this process, in their order."""
        self._keys = keys
        self._drawn = 0

    def __call__(self, count: int) -> Tensor:
        """(count, latent_dim) float32 for the next samples; after the last of them, other noise for the first."""
        assert self._keys, "the samples of a step are named before its noise is drawn"
        rows = []
        for number in range(self._drawn, self._drawn + count):
            passes, place = divmod(number, len(self._keys))
            key = self._keys[place]
            random = random_for(Purpose.NOISE, self._seed, key.epoch, key.index, passes)
            rows.append(random.standard_normal(self._latent_dim, dtype=np.float32))
        self._drawn += count
        return torch.from_numpy(np.stack(rows)).to(self._device)
