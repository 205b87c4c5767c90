"""Training of a segmenter: epochs over a dataset, the best weights kept, resumable at the end of every epoch."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from spade.data.loading import LoadingConfig, picture_batches, training_batches
from spade.data.samples import Sample
from spade.data.sampling import EpochSampler
from spade.errors import ConfigError
from spade.evaluation.confusion import ConfusionMatrix, SegmentationScores
from spade.evaluation.segmenter import Segmenter, SegmenterConfig, predict
from spade.evaluation.segmenter_augmentation import NOT_SCORED, augmented
from spade.evaluation.segmenter_loss import class_weights, segmentation_loss

SAMPLES_FOR_WEIGHTS = 512
"""Label maps, at most, in which pixels are counted to weigh the classes."""
WARM_UP = 0.05
"""Part of the training in which the learning rate rises from 0."""
SLOWEST_AVERAGE = 0.998
"""Of the averaged weights, what stays of them in a step; less at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterTraining:
    """How a segmenter is trained.

    Raises ConfigError: where values are out of range.
    """

    epochs: int = 40
    batch_size: int = 8
    learning_rate: float = 4e-3
    """The highest; it rises to this and falls to 0 along a cosine."""
    weight_decay: float = 0.02
    patience: int = 15
    """Training ends after so many epochs without a better mean IoU on validation pictures."""
    seed: int = 0
    workers: int = 0
    """Processes that read ahead."""

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size, self.patience) < 1 or not 0 < self.learning_rate < math.inf:
            raise ConfigError(
                f"segmenter training: epochs, batch_size, patience, learning_rate must be positive and finite: {self}"
            )

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0, of all `steps`."""
        done = (step + 1) / steps
        if done < WARM_UP:
            return self.learning_rate * done / WARM_UP
        return self.learning_rate * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochResult:
    """What an epoch, counted from 1, came to; `scores` are of the averaged weights on validation pictures."""

    epoch: int
    loss: float
    scores: SegmentationScores
    best: bool
    """Whether no epoch before had a mean IoU so high."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """All that changes in training, but for the weights' order of use, which the seed settles."""

    network: Segmenter
    average: Segmenter
    """Weights averaged over the last some hundred steps, which score better than those of any one step."""
    best: Segmenter
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    """Epochs done."""
    best_epoch: int = 0
    best_scores: SegmentationScores | None = None


def start(config: SegmenterConfig, training: SegmenterTraining, device: torch.device) -> Progress:
    """Before the first step; the seed decides the weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        network = Segmenter(config)
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
    average, best = (copy.deepcopy(network).eval().requires_grad_(False) for _ in range(2))
    return Progress(network=network, average=average, best=best, optimizer=optimizer)


def train(
    progress: Progress,
    training: SegmenterTraining,
    training_data: Dataset[Sample],
    validation_data: Dataset[Sample],
    *,
    on_step: Callable[[int, int], None] = lambda _done, _steps: None,
) -> Iterator[EpochResult]:
    """Goes on from `progress`, which it changes, epoch by epoch until the last, or until it gets no better.

    `on_step` is told the steps done and those of the epoch.

    Raises DatasetError: where a file cannot be used. ConfigError: where the loss is no number any more.
    """
    weights = _weights(progress.network.config, training_data, training)
    while progress.epoch < training.epochs and progress.epoch - progress.best_epoch < training.patience:
        loss = _train_epoch(progress, training, training_data, weights, on_step)
        scores = validate(progress.average, validation_data, training)
        progress.epoch += 1
        before = progress.best_scores
        best = before is None or scores.mean_iou > before.mean_iou
        if best:
            progress.best.load_state_dict(progress.average.state_dict())
            progress.best_epoch, progress.best_scores = progress.epoch, scores
        yield EpochResult(epoch=progress.epoch, loss=loss, scores=scores, best=best)


def validate(segmenter: Segmenter, data: Dataset[Sample], training: SegmenterTraining) -> SegmentationScores:
    """Scores of a segmenter in evaluation mode on all of `data`."""
    config = segmenter.config
    device = next(segmenter.parameters()).device
    confusion = ConfusionMatrix(config.classes, ignored_id=config.ignored_id)
    sampler = EpochSampler(length=_length(data), seed=0, epoch=0, shuffle=False)
    for batch in picture_batches(data, sampler, _loading(training)):
        confusion.update(batch.labels, predict(segmenter, batch.pictures.to(device)).cpu())
    return confusion.scores()


def _train_epoch(
    progress: Progress,
    training: SegmenterTraining,
    data: Dataset[Sample],
    weights: Tensor,
    on_step: Callable[[int, int], None],
) -> float:
    """Returns the mean loss."""
    device = next(progress.network.parameters()).device
    sampler = EpochSampler(length=_length(data), seed=training.seed, epoch=progress.epoch)
    batches = training_batches(data, sampler, _loading(training))
    random = _random(training.seed, progress.epoch)
    progress.network.train()
    losses = 0.0
    for number, batch in enumerate(batches):
        step = progress.epoch * len(batches) + number
        pictures, labels = augmented(batch.pictures, _scored(batch.labels, progress.network.config), random)
        pictures = pictures.to(device, memory_format=torch.channels_last)
        loss = segmentation_loss(progress.network(pictures), labels.to(device), weights.to(device))
        if not math.isfinite(loss.item()):
            raise ConfigError(f"segmenter training: the loss is {loss.item()}; choose a lower learning rate")
        for group in progress.optimizer.param_groups:
            group["lr"] = training.rate(step, training.epochs * len(batches))
        progress.optimizer.zero_grad()
        loss.backward()
        progress.optimizer.step()
        _average(progress.average, progress.network, step)
        losses += loss.item()
        on_step(number + 1, len(batches))
    return losses / len(batches)


@torch.no_grad()
def _average(average: Segmenter, network: Segmenter, step: int) -> None:
    new = 1 - min(SLOWEST_AVERAGE, (1 + step) / (10 + step))
    for mean, tensor in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(tensor, new)
        else:
            mean.copy_(tensor)


def _weights(config: SegmenterConfig, data: Dataset[Sample], training: SegmenterTraining) -> Tensor:
    """Of the classes, by the pixels they have in some of the training data."""
    length = min(_length(data), SAMPLES_FOR_WEIGHTS)
    pixels = torch.zeros(config.classes, dtype=torch.int64)
    sampler = EpochSampler(length=length, seed=0, epoch=0, shuffle=False)
    for batch in picture_batches(data, sampler, _loading(training)):
        scored = _scored(batch.labels, config)
        pixels += torch.bincount(scored[scored != NOT_SCORED], minlength=config.classes)
    return class_weights(pixels)


def _scored(labels: Tensor, config: SegmenterConfig) -> Tensor:
    return labels if config.ignored_id is None else labels.masked_fill(labels == config.ignored_id, NOT_SCORED)


def _random(seed: int, epoch: int) -> torch.Generator:
    return torch.Generator().manual_seed(
        int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
    )


def _loading(training: SegmenterTraining) -> LoadingConfig:
    return LoadingConfig(batch_size=training.batch_size, workers=training.workers)


def _length(data: Dataset[Sample]) -> int:
    return len(data)  # type: ignore[arg-type]
