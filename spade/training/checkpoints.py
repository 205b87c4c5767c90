"""The checkpoints of a run: the last few states, from any of which it can go on as if it had never stopped."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

from spade.errors import CheckpointError
from spade.training.checkpoint_store import CheckpointStore
from spade.training.state import FORMAT
from spade.weights import read_torch_file

_PREFIX, _SUFFIX = "step-", ".pt"
_BEST = f"best{_SUFFIX}"
_REMEDY = "; remove it to go on from the one before it"
_REMEDY_OF_BEST = "; remove it, and the last checkpoint stands for the run until a look is the best again"


class Checkpoints:
    """Keeps the last `keep` states in a store, under names that sort by step."""

    def __init__(self, store: CheckpointStore, *, keep: int) -> None:
        self._store = store
        self._keep = keep

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Writes the state after `step`, then removes those that are too many.

        States of later steps, which a run that went back has left behind, are removed too.

        Raises CheckpointError: where it cannot be written; those before it are as they were.
        """
        name = _name(step)
        self._store.write(name, lambda path: write_torch_file(state, path))
        self.remove_others(name)

    def remove_others(self, name: str) -> None:
        """Removes what is too much beside `name`, the last one, as a run that was killed after a save has left it."""
        names = self.names()
        place = names.index(name)
        for other in [*names[place + 1 :], *names[: max(0, place + 1 - self._keep)]]:
            self._store.remove(other)

    def keep(self, epoch: int, state: dict[str, Any]) -> None:
        """Writes the state after `epoch` under a name of its own, which is never removed.

        Raises CheckpointError: where it cannot be written.
        """
        self._store.write(f"epoch-{epoch:06}{_SUFFIX}", lambda path: write_torch_file(state, path))

    def keep_best(self, state: dict[str, Any]) -> None:
        """Writes the state that validation found best so far, in the place of the one before.

        Raises CheckpointError: where it cannot be written.
        """
        self._store.write(_BEST, lambda path: write_torch_file(state, path))

    def forget_best(self) -> None:
        """Removes what `keep_best` wrote, if it wrote anything."""
        if self.best() is not None:
            self._store.remove(_BEST)

    def best(self) -> str | None:
        """The name of what `keep_best` wrote, if it wrote anything."""
        return _BEST if _BEST in self._store.names() else None

    def is_best(self, place: str) -> bool:
        """Whether `keep_best` writes to `place`, a path."""
        return Path(place).resolve() == Path(self.place(_BEST)).resolve()

    def names(self) -> list[str]:
        """Of the last checkpoints, the very last one last."""
        return [name for name in self._store.names() if name.startswith(_PREFIX) and name.endswith(_SUFFIX)]

    def latest(self) -> str | None:
        names = self.names()
        return names[-1] if names else None

    def place(self, name: str) -> str:
        return self._store.place(name)

    def place_of_step(self, step: int) -> str:
        """Where the state after `step` is, or would be."""
        return self._store.place(_name(step))

    def load(self, name: str) -> dict[str, Any]:
        """Raises CheckpointError: as `read_checkpoint`."""
        with self._store.reading(name) as path:
            remedy = _REMEDY_OF_BEST if name == _BEST else _REMEDY
            return read_checkpoint(path, where=self._store.place(name), remedy=remedy)


def read_checkpoint(path: Path, *, where: str, remedy: str = "") -> dict[str, Any]:
    """What `Checkpoints.save` wrote, on the CPU, without running any code that the file may hold.

    Raises CheckpointError: where the file, which is called `where`, is missing, damaged or no such checkpoint; after
    what may be damage stands `remedy`.
    """
    try:
        _require_undamaged(path, where)
        state: dict[str, Any] = read_torch_file(path, where=where)
    except CheckpointError as error:
        raise CheckpointError(f"{error}{remedy if path.exists() else ''}") from error
    found = state.get("format") if isinstance(state, dict) else None
    if found != FORMAT:
        raise CheckpointError(f"{where}: not a checkpoint of a training run that this version reads (format {found})")
    return state


def _require_undamaged(path: Path, where: str) -> None:
    """Holds what the file contains against its checksums, which torch writes but does not read."""
    try:
        with zipfile.ZipFile(path) as file:
            if file.testzip() is None:
                return
    except FileNotFoundError:
        return  # for the reader to tell
    except IsADirectoryError as error:
        raise CheckpointError(f"{where}: it is a folder; name one of the checkpoints in it") from error
    except (OSError, zipfile.BadZipFile, zlib.error):
        pass
    raise CheckpointError(f"{where}: it is damaged or something else")


def _name(step: int) -> str:
    return f"{_PREFIX}{step:09}{_SUFFIX}"


def write_torch_file(state: dict[str, Any], path: Path) -> None:
    """As torch.save, but raises OSError where the file cannot be written; `read_torch_file` reads it back."""
    try:
        with path.open("wb") as file:
            torch.save(state, file)
    except RuntimeError as error:
        # torch's writer covers the system's error with one of its own, which says nothing.
        cause = error.__cause__ or error.__context__
        if isinstance(cause, OSError):
            raise cause from error
        raise
