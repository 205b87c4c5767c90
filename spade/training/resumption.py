"""From which checkpoint a run goes on, if from any."""

from dataclasses import dataclass
from pathlib import Path

from spade.errors import CheckpointError
from spade.training.checkpoints import Checkpoints, read_checkpoint
from spade.training.distributed import Processes
from spade.training.state import RunState

RESUME_AUTO = "auto"
RESUME_NEVER = "never"


@dataclass(frozen=True, slots=True)
class Origin:
    """A checkpoint to go on from."""

    place: str
    name: str | None
    """Among the run's own checkpoints; None for one that the user named."""


def find_origin(checkpoints: Checkpoints, resume: str, processes: Processes) -> Origin | None:
    """The checkpoint that `resume` means, `auto`, `never` or a path; None for a run from the beginning.

    Raises CheckpointError: where there is a checkpoint but must not be.
    """
    if resume not in (RESUME_AUTO, RESUME_NEVER):
        return Origin(resume, None)
    # The first process decides, lest another one sees a checkpoint come or go in the meantime.
    name = processes.from_first(checkpoints.latest() if processes.is_first else None)
    if name is None:
        return None
    place = checkpoints.place(name)
    if resume == RESUME_NEVER:
        raise CheckpointError(
            f"{place}: there is a run already; go on from it with --resume auto, or choose another folder"
        )
    return Origin(place, name)


def go_on_from(origin: Origin, state: RunState, checkpoints: Checkpoints, processes: Processes) -> None:
    """Brings `state` to where it was. Raises CheckpointError: where the checkpoint cannot be used."""
    if origin.name is None:
        state.load_mapping(read_checkpoint(Path(origin.place), where=origin.place), where=origin.place)
        return
    state.load_mapping(checkpoints.load(origin.name), where=origin.place)
    if processes.is_first:
        checkpoints.remove_others(origin.name)
