"""From which checkpoint a run goes on, if from any."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spade.data.config import DatasetConfig
from spade.errors import CheckpointError
from spade.training.checkpoints import Checkpoints, read_checkpoint
from spade.training.distributed import Processes
from spade.training.state import RunState, saved_config, what_is_missing_told
from spade.training.validation_config import Standing

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
        if not checkpoints.is_best(origin.place):
            state.standing = Standing()  # the best state is kept elsewhere, or is of later
        return
    saved = checkpoints.load(origin.name)
    require_same_dataset(saved, state, where=origin.place)
    state.load_mapping(saved, where=origin.place)
    if processes.is_first:
        checkpoints.remove_others(origin.name)


def require_same_dataset(saved: dict[str, Any], state: RunState, *, where: str) -> None:
    """Lest a run that was to begin in another folder goes on here, with what it is not to learn from.

    A dataset may grow where it lies, or lie elsewhere, but not both. Raises CheckpointError: where it does both.
    """
    with what_is_missing_told(where):
        theirs, ours = saved_config(saved, where=where).dataset, state.config.dataset
    if _place(theirs) != _place(ours) and saved.get("fingerprint") not in (None, state.fingerprint):
        raise CheckpointError(
            f"{where}: of another dataset: it learned from {_place(theirs)}, this configuration has {_place(ours)}, "
            "whose samples have other names; choose another folder, or go on all the same with --resume FILE"
        )


def _place(dataset: DatasetConfig) -> str:
    return " ".join(part for part in (dataset.mode, dataset.root, dataset.label_dir, dataset.image_dir) if part)
