"""A dataset through a model: pictures made batch by batch.

B batch, H W pixels.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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


def synthesized(synthesizer: Synthesizer, batches: Iterable[LabelBatch], *, seed: int) -> Iterator[SynthesizedBatch]:
    """Makes the picture of every label map; the first has `seed`, the next `seed` + 1, and so on.

    Raises ConfigError: where sizes or ids do not fit the model. OutOfMemoryError: where a batch is too big.
    """
    for batch in batches:
        seeds = range(seed, seed + len(batch))
        instances = None if batch.instances is None else batch.instances.numpy()
        pictures = synthesizer.synthesize(batch.labels.numpy(), instances, seeds)
        yield SynthesizedBatch(source=batch, seeds=tuple(seeds), pictures=pictures)
        seed += len(batch)
