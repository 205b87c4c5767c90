"""How fast pairs of label map and picture are made ready for training: by worker processes, as training reads them."""

import time
from dataclasses import dataclass
from typing import Final

from torch.utils.data import Dataset

from spade.data.config import DatasetConfig, Phase
from spade.data.loading import LoadingConfig, training_batches
from spade.data.opening import open_dataset
from spade.data.samples import Sample, SampleKey
from spade.data.sampling import EpochSampler

PROCESSOR_PAIRS: Final = 64
"""Pairs made in this process, to tell the processor time of one; at most as many as are timed with workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingFigures:
    """Of one dataset. Pairs a second are counted from where the workers' first batches have been used up."""

    workers: int
    batch_size: int
    pairs: int
    """Timed with workers."""
    height: int
    width: int
    pairs_per_second: float
    processor_seconds_per_pair: float
    """Of one process without others; unlike the speed, it does not grow with what else the machine is doing."""


def measure_loading(config: DatasetConfig, *, batch_size: int, workers: int, pairs: int) -> LoadingFigures:
    """Read at least `pairs` pairs, going through the training samples as often as that takes.

    Raises DatasetError: where files are missing or cannot be used.
    """
    dataset = open_dataset(config, Phase.TRAIN)
    loading = LoadingConfig(batch_size=batch_size, workers=workers)
    warm_up = max(1, workers * loading.prefetch)
    timed = -(-pairs // batch_size)
    length = (warm_up + timed) * batch_size
    endless = _Endless(dataset, len(dataset))
    batches = iter(training_batches(endless, EpochSampler(length=length, seed=0, epoch=0, shuffle=False), loading))
    for _ in range(warm_up):
        next(batches)
    started = time.perf_counter()
    for batch in batches:
        height, width = batch.labels.shape[1:]
    seconds = time.perf_counter() - started
    return LoadingFigures(
        workers=workers,
        batch_size=batch_size,
        pairs=timed * batch_size,
        height=height,
        width=width,
        pairs_per_second=timed * batch_size / seconds,
        processor_seconds_per_pair=_processor_seconds(endless, min(pairs, PROCESSOR_PAIRS)),
    )


class _Endless(Dataset[Sample]):
    """A dataset gone through again and again, so that workers need not start anew for each epoch of a small one."""

    def __init__(self, dataset: Dataset[Sample], length: int) -> None:
        self._dataset = dataset
        self._length = length

    def __getitem__(self, key: SampleKey) -> Sample:
        epochs, index = divmod(key.index, self._length)
        return self._dataset[SampleKey(1 + epochs, index)]


def _processor_seconds(dataset: _Endless, pairs: int) -> float:
    started = time.process_time()
    for index in range(pairs):
        dataset[SampleKey(0, index)]
    return (time.process_time() - started) / pairs
