"""Which samples a process learns from in each step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch.utils.data import Dataset

from spade.data.config import Phase
from spade.data.errors import DatasetError
from spade.data.loading import LoadingConfig, training_batches
from spade.data.opening import open_dataset
from spade.data.samples import Sample, SampleKey, TrainingBatch
from spade.data.sampling import EpochSampler
from spade.training.config import TrainingConfig
from spade.training.distributed import Processes

_FIXED_EPOCH = 0
"""Training counts epochs from 1, so the crops of this one are of their own."""


@dataclass(frozen=True, slots=True)
class StepSamples:
    """What a process learns from in one step: its micro-batches, and the keys of all samples in them, in order."""

    micro_batches: Sequence[TrainingBatch]
    keys: Sequence[SampleKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Steps of an epoch from any sample on. All processes together take `batch_size` samples in each.

    Raises DatasetError: where an epoch does not fill one step.
    """

    dataset: Dataset[Sample]
    length: int
    """Samples of the dataset."""
    fingerprint: str
    """Tells the dataset from others."""
    work: Sequence[int] | None
    """How much each sample takes, where that is known, so that processes can share it alike."""
    seed: int
    processes: Processes
    micro_batch_size: int
    accumulation: int
    workers: int
    shuffle: bool = True
    """Whether every epoch has an order of its own; if not, samples come in the order of their files."""

    def __post_init__(self) -> None:
        if self.length < self.batch_size:
            raise DatasetError(
                f"the dataset has {self.length} samples, which do not fill one step of batch_size {self.batch_size}; "
                "choose a smaller one"
            )

    @property
    def batch_size(self) -> int:
        return self.micro_batch_size * self.accumulation * self.processes.count

    @property
    def steps_per_epoch(self) -> int:
        """Samples at the end of an epoch that do not fill a step are passed over; another epoch has them elsewhere."""
        return self.length // self.batch_size

    def steps(self, epoch: int, taken: int) -> Iterator[StepSamples]:
        """The steps of `epoch`, of which all processes together have taken the first `taken` samples already.

        Raises DatasetError: where a file cannot be used.
        """
        whole_steps = (self.length - taken) // self.batch_size
        if whole_steps <= 0:  # below 0 where samples were taken out of the dataset meanwhile
            return
        sampler = self._sampler(epoch, taken)
        keys = list(sampler)
        batches = iter(training_batches(self.dataset, sampler, self._loading))
        of_process = self.micro_batch_size * self.accumulation
        for step in range(whole_steps):
            micro_batches = [next(batches).to(self.processes.device) for _ in range(self.accumulation)]
            yield StepSamples(micro_batches, keys[step * of_process : (step + 1) * of_process])

    def fixed(self, count: int) -> Iterator[StepSamples]:
        """`count` micro-batches that are the same in every call, or as many as there are."""
        sampler = self._sampler(_FIXED_EPOCH, 0)
        keys = list(sampler)
        batches = iter(training_batches(self.dataset, sampler, self._loading))
        for number, batch in zip(range(count), batches, strict=False):
            start = number * self.micro_batch_size
            yield StepSamples([batch.to(self.processes.device)], keys[start : start + self.micro_batch_size])

    def _sampler(self, epoch: int, taken: int) -> EpochSampler:
        return EpochSampler(
            length=self.length,
            seed=self.seed,
            epoch=epoch,
            rank=self.processes.rank,
            world_size=self.processes.count,
            start=taken,
            batch_size=self.micro_batch_size,
            work=self.work,
            shuffle=self.shuffle,
        )

    @property
    def _loading(self) -> LoadingConfig:
        return LoadingConfig(
            batch_size=self.micro_batch_size,
            workers=self.workers,
            pin_memory=self.processes.device.type == "cuda",
        )


def open_feed(config: TrainingConfig, processes: Processes) -> Feed:
    """The training samples of `config` as steps.

    Raises DatasetError, ConfigError: where there is no such dataset, or it does not fit the batch size.
    """
    micro_batch_size = config.micro_batch_size(processes.count)
    dataset = open_dataset(config.dataset, Phase.TRAIN, seed=config.seed)
    return Feed(
        dataset=dataset,
        length=len(dataset),
        fingerprint=dataset.fingerprint(),
        work=dataset.work() if processes.count > 1 else None,
        seed=config.seed,
        processes=processes,
        micro_batch_size=micro_batch_size,
        accumulation=config.accumulation,
        workers=config.workers,
        shuffle=config.shuffle,
    )
