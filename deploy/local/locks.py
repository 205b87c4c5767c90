"""Folders that one process at a time may use."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.errors import StateError


@contextmanager
def held_alone(folder: Path) -> Iterator[None]:
    """Makes `folder`, for its owner only, and holds it until the body ends, however the process ends.

    Raises `StateError` where another process holds it, or it cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise StateError(f"the folder {folder} cannot be used: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateError(f"the folder {folder} is in use by another process; choose another") from error
        yield
