"""Whether a run has come to its end."""

from collections.abc import Mapping

from spade.training.checkpoint_store import open_store
from spade.training.checkpoints import Checkpoints
from spade.training.config import TrainingConfig


def is_finished(config: TrainingConfig, checkpoints: str, environment: Mapping[str, str]) -> bool:
    """Whether the last checkpoint, if there is one, is of the end of the schedule of `config`.

    Raises CheckpointError: where it cannot be read.
    """
    kept = Checkpoints(open_store(checkpoints, environment), keep=1)
    name = kept.latest()
    return name is not None and kept.load(name)["position"]["epoch"] > config.schedule.total
