"""Whether a run has come to its end."""

from collections.abc import Mapping
from dataclasses import replace

from spade.training.checkpoint_store import open_store
from spade.training.checkpoints import Checkpoints
from spade.training.config import TrainingConfig
from spade.training.state import saved_config, saved_standing, what_is_missing_told
from spade.training.validation_config import ValidationConfig


def is_finished(config: TrainingConfig, checkpoints: str, environment: Mapping[str, str]) -> bool:
    """Whether the last checkpoint, if there is one, is of the end of `config`: of its schedule, or of its patience.

    A state at the end of the schedule that has not been held against validation samples yet is not the end.

    Raises CheckpointError: where it cannot be read.
    """
    kept = Checkpoints(open_store(checkpoints, environment), keep=1)
    name = kept.latest()
    if name is None:
        return False
    state, place = kept.load(name), kept.place(name)
    standing = saved_standing(state, where=place)
    with what_is_missing_told(place):
        is_over = standing.is_over(config.validation) and _same_looks(
            saved_config(state, where=place).validation, config.validation
        )
        lacks_look = config.validation is not None and standing.pictures != state["position"]["pictures"]
        return is_over or (state["position"]["epoch"] > config.schedule.total and not lacks_look)


def _same_looks(one: ValidationConfig | None, other: ValidationConfig | None) -> bool:
    """Whether they look at the same samples with the same segmenter, however often and patiently."""
    return (
        one is not None
        and other is not None
        and replace(one, interval=1, patience=1) == replace(other, interval=1, patience=1)
    )
