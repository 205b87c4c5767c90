"""A training of a segmenter from a dataset to a file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from spade.data.config import DatasetConfig, Phase
from spade.data.opening import open_dataset
from spade.evaluation.scored_classes import scored_classes
from spade.evaluation.segmenter import SegmenterConfig
from spade.evaluation.segmenter_checkpoint import SegmenterRecord, save_segmenter
from spade.evaluation.segmenter_state import restore_state, save_state, state_path
from spade.evaluation.segmenter_training import EpochResult, SegmenterTraining, start, train
from spade.files import clear_partials
from spade.synthesis import out_of_memory_translated


class SegmenterRun:
    """Writes the best weights so far after every epoch, and beside them the state from which it can be resumed.

    Raises DatasetError: where the dataset cannot be used. ConfigError: where its samples have no fixed size.
    """

    def __init__(
        self,
        dataset: DatasetConfig,
        training: SegmenterTraining,
        *,
        output: Path,
        base_channels: int,
        device: torch.device,
    ) -> None:
        classes = scored_classes(dataset)
        assert dataset.size is not None  # as the options of the command line make it
        height, width = dataset.size
        self.config = SegmenterConfig(
            classes=classes.count,
            ignored_id=classes.ignored_id,
            height=height,
            width=width,
            class_names=classes.names,
            base_channels=base_channels,
        )
        self.training = training
        self.output = output
        self.training_data = open_dataset(dataset, Phase.TRAIN)
        self.validation_data = open_dataset(dataset, Phase.VAL)
        self.progress = start(self.config, training, device)
        self._mode = dataset.mode

    def resume(self) -> None:
        """Goes on from the state file. Raises CheckpointError: where there is none, or it is of other settings."""
        restore_state(state_path(self.output), self.progress, self.training)

    def epochs(self, on_step: Callable[[int, int], None]) -> Iterator[EpochResult]:
        """Trains to the end; `on_step` is told the steps done and those of the epoch.

        Raises DatasetError, ConfigError: as `train` says. CheckpointError: where a file cannot be written.
        """
        for path in (self.output, state_path(self.output)):
            clear_partials(path.parent, path.name)
        results = train(self.progress, self.training, self.training_data, self.validation_data, on_step=on_step)
        while True:
            with out_of_memory_translated(f"a batch of {self.training.batch_size} pictures"):
                result = next(results, None)
            if result is None:
                break
            if result.best:
                save_segmenter(self.output, self.progress.best, self.record())
            save_state(state_path(self.output), self.progress, self.training)
            yield result
        state_path(self.output).unlink(missing_ok=True)

    def record(self) -> SegmenterRecord:
        """Of the best weights so far, of which there must be some."""
        scores = self.progress.best_scores
        assert scores is not None
        return SegmenterRecord(
            config=self.config,
            dataset=self._mode,
            training_pictures=len(self.training_data),
            validation_pictures=len(self.validation_data),
            epochs=self.progress.best_epoch,
            seed=self.training.seed,
            mean_iou=scores.mean_iou,
            pixel_accuracy=scores.pixel_accuracy,
        )
