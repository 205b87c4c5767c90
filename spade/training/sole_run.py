"""One run at a time in a folder."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spade.training.errors import FolderInUseError

LOCK_NAME = ".lock"


@contextmanager
def sole_run_in(folder: Path) -> Iterator[None]:
    """Makes the folder and holds its lock, which falls with the process, however that ends.

    Two runs would take each other's unfinished files for leftovers, and each other's checkpoints for their own.

    Raises FolderInUseError: where another process holds it. OSError: where the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_NAME).open("a+", encoding="utf-8") as lock:
        try:
            # lockf rather than flock: processes that read samples would inherit the latter and outlive a killed run.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            raise FolderInUseError(
                f"{folder}: {holder} trains there; wait for its end, or choose another folder"
            ) from error
        except OSError:  # a file system without locks
            yield
            return
        lock.truncate(0)
        lock.write(f"process {os.getpid()} of {socket.gethostname()}")
        lock.flush()
        yield
