"""Whether a run has come to its end."""

from collections.abc import Mapping

from spade.training.checkpoint_store import open_store
from spade.training.checkpoints import Checkpoints
from spade.training.config import TrainingConfig
from spade.training.state import saved_standing


def is_finished(config: TrainingConfig, checkpoints: str, environment: Mapping[str, str]) -> bool:
    """Whether the last checkpoint, if there is one, is of the end of `config`: of its schedule, or of its patience.

    Raises CheckpointError: where it cannot be read.
    """
    kept = Checkpoints(open_store(checkpoints, environment), keep=1)
    name = kept.latest()
    if name is None:
        return False
    state = kept.load(name)
    return state["position"]["epoch"] > config.schedule.total or saved_standing(state).is_over(config.validation)
