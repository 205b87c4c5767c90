"""A dataset through a model: pictures made batch by batch.

B batch, H W pixels.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spade.data.samples import LabelBatch
from spade.synthesis import Synthesizer


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesizedBatch:
    """Pictures with what they were made from."""

    source: LabelBatch
    seeds: tuple[int, ...]
    pictures: NDArray[np.uint8]
    """(B, H, W, 3), RGB."""

    @property
    def maps(self) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Label maps, or input pictures, and instance maps, as a Synthesizer takes them."""
        return _maps(self.source)


def synthesized(synthesizer: Synthesizer, batches: Iterable[LabelBatch], *, seed: int) -> Iterator[SynthesizedBatch]:
    """Makes the picture of every label map; the first has `seed`, the next `seed` + 1, and so on.

    Raises ConfigError: where sizes or ids do not fit the model. OutOfMemoryError: where a batch is too big.
    """
    for batch in batches:
        seeds = range(seed, seed + len(batch))
        pictures = synthesizer.synthesize(*_maps(batch), seeds)
        yield SynthesizedBatch(source=batch, seeds=tuple(seeds), pictures=pictures)
        seed += len(batch)


def _maps(batch: LabelBatch) -> tuple[NDArray[Any], NDArray[Any] | None]:
    return batch.labels.numpy(), None if batch.instances is None else batch.instances.numpy()
