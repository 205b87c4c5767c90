"""Batches from a dataset, made by worker processes ahead of their use."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from spade.data.errors import DatasetError
from spade.data.samples import LabelBatch, Sample, SampleKey, TrainingBatch, collate_labels, collate_training
from spade.data.sampling import EpochSampler
from spade.errors import ConfigError, SpadeError

Batch = TypeVar("Batch", bound=LabelBatch)

_STOPPING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingConfig:
    """How batches are made; none of it changes what is in them, but for `batch_size`.

    Raises ConfigError: where a value is out of range.
    """

    batch_size: int = 1
    """Samples of one step of one process."""
    workers: int = 0
    """Processes that read ahead; 0 reads in the training process itself."""
    prefetch: int = 2
    """Batches that each worker keeps ready."""
    pin_memory: bool = False
    """Whether batches lie in page-locked memory, for quick copies to a GPU."""

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.prefetch < 1 or self.workers < 0:
            raise ConfigError(f"loading: batch_size and prefetch must be 1 or more, workers 0 or more: {self}")


def training_batches(
    dataset: Dataset[Sample], sampler: EpochSampler, config: LoadingConfig
) -> "Batches[TrainingBatch]":
    """The full batches of an epoch; samples left at its end that do not fill one are passed over.

    Raises DatasetError: where a whole epoch does not fill one batch.
    """
    whole_epoch = sampler.length // sampler.world_size
    if whole_epoch < config.batch_size:
        where = f" in each of {sampler.world_size} processes" if sampler.world_size > 1 else ""
        raise DatasetError(
            f"the dataset has {sampler.length} samples, which do not fill one batch of {config.batch_size}{where}; "
            "choose a smaller batch"
        )
    return Batches(dataset, sampler, config, collate_training, drop_last=True)


def label_batches(dataset: Dataset[Sample], sampler: EpochSampler, config: LoadingConfig) -> "Batches[LabelBatch]":
    """All batches of an epoch without their pictures, the last one maybe smaller."""
    return Batches(dataset, sampler, config, collate_labels, drop_last=False)


def picture_batches(dataset: Dataset[Sample], sampler: EpochSampler, config: LoadingConfig) -> "Batches[TrainingBatch]":
    """All batches of an epoch with their pictures, the last one maybe smaller, as for evaluation."""
    return Batches(dataset, sampler, config, collate_training, drop_last=False)


class Batches(Generic[Batch]):
    """Batches in the sampler's order: the same for any number of workers.

    Iterating raises what the dataset raises, in the calling process, as itself.
    """

    def __init__(
        self,
        dataset: Dataset[Sample],
        sampler: EpochSampler,
        config: LoadingConfig,
        collate: Callable[[Sequence[Sample]], Batch],
        *,
        drop_last: bool,
    ) -> None:
        self._loader = DataLoader(
            _Answers(dataset),
            batch_size=config.batch_size,
            sampler=sampler,
            num_workers=config.workers,
            collate_fn=_Collate(collate),
            drop_last=drop_last,
            pin_memory=config.pin_memory,
            prefetch_factor=config.prefetch if config.workers else None,
            worker_init_fn=_quiet_worker,
            # torch would draw the workers' seeds from the global generator, which belongs to the training.
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        with _stopping_held_back():  # until the workers know what to do about it
            answers = iter(self._loader)
        try:
            for answer in answers:
                if isinstance(answer, SpadeError):
                    raise answer
                yield answer
        finally:
            _end_workers(answers)


class _Answers(Dataset[Sample | SpadeError]):
    """Gives errors back as values: torch would re-raise a worker's error with a traceback as its message."""

    def __init__(self, dataset: Dataset[Sample]) -> None:
        self._dataset = dataset

    def __getitem__(self, key: SampleKey) -> Sample | SpadeError:
        try:
            return self._dataset[key]
        except SpadeError as error:
            return DatasetError(str(error))


class _Collate(Generic[Batch]):
    def __init__(self, collate: Callable[[Sequence[Sample]], Batch]) -> None:
        self._collate = collate

    def __call__(self, answers: Sequence[Sample | SpadeError]) -> Batch | SpadeError:
        samples = []
        for answer in answers:
            if isinstance(answer, SpadeError):
                return answer
            samples.append(answer)
        try:
            return self._collate(samples)
        except SpadeError as error:
            return DatasetError(str(error))


def _quiet_worker(_worker: int) -> None:
    """Ctrl-C goes to every process of a terminal, and launchers send SIGTERM to every process of a job.

    The training process alone answers them: without this one it could not finish its step. A second SIGTERM ends this
    process, as it ends the training.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave_to_the_next)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


@contextmanager
def _stopping_held_back() -> Iterator[None]:
    """Signals to stop come after the block; processes that start in it inherit this."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_workers(answers: object) -> None:
    """Ends the processes behind `answers`, where there are any.

    An error's traceback would keep them alive, and at its end Python waits for processes that it has sent SIGTERM once.
    """
    shut_down = getattr(answers, "_shutdown_workers", None)  # torch has no public name for it
    if shut_down is not None:
        shut_down()


def _leave_to_the_next(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
