"""An interrupted training of a segmenter on disk, from which it goes on as if nothing had happened."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from spade.errors import CheckpointError
from spade.evaluation.confusion import SegmentationScores
from spade.evaluation.segmenter import SegmenterConfig
from spade.evaluation.segmenter_training import Progress, SegmenterTraining
from spade.files import written_whole
from spade.weights import read_torch_file

NETWORKS = ("network", "average", "best")


def state_path(output: Path) -> Path:
    """Where the state lies while `output` is being trained."""
    return output.with_name(f"{output.name}.state")


def save_state(path: Path, progress: Progress, training: SegmenterTraining) -> None:
    """Writes all that the next epoch depends on, at one stroke. Raises CheckpointError: where it cannot be written."""
    state: dict[str, Any] = {name: getattr(progress, name).state_dict() for name in NETWORKS}
    state |= {
        "settings": _settings(progress.network.config, training),
        "optimizer": progress.optimizer.state_dict(),
        "epoch": progress.epoch,
        "best_epoch": progress.best_epoch,
        "best_scores": progress.best_scores and asdict(progress.best_scores),
    }
    try:
        with written_whole(path) as partial:
            torch.save(state, partial)
    except (OSError, RuntimeError) as error:  # a full disk is a RuntimeError to torch
        raise CheckpointError(f"{path}: the state of the training cannot be written: {error}") from error


def restore_state(path: Path, progress: Progress, training: SegmenterTraining) -> None:
    """Brings `progress`, just started, to where `save_state` left it.

    Raises CheckpointError: where there is no such file, it is damaged, or it is of a training with other settings.
    """
    try:
        state = read_torch_file(path, where=f"interrupted training {path}")
    except CheckpointError as error:
        raise CheckpointError(f"{error}; leave out --resume to begin anew") from error
    settings = _settings(progress.network.config, training)
    for name, value in settings.items():
        found = state["settings"].get(name)
        if found != value:
            raise CheckpointError(f"{path}: the interrupted training has {name} {found}, now it is {value}")
    for name in NETWORKS:
        getattr(progress, name).load_state_dict(state[name])
    progress.optimizer.load_state_dict(state["optimizer"])
    progress.epoch, progress.best_epoch = state["epoch"], state["best_epoch"]
    progress.best_scores = state["best_scores"] and SegmentationScores(**state["best_scores"])


def _settings(config: SegmenterConfig, training: SegmenterTraining) -> dict[str, Any]:
    """What has to be the same; how data are read makes no difference."""
    settings = asdict(config) | asdict(training)
    del settings["workers"]
    return settings
