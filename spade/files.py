"""Files that are whole or absent: written beside their place, then renamed into it."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL_SUFFIX = ".partial"


@contextmanager
def written_whole(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yields a path to write to; when the block ends without an error, the file takes the name `path` at one stroke.

    Folders on the way are made. A file that was at `path` is replaced; on an error it is left as it was. A killed
    process leaves at most a hidden file that ends in `.partial`. Not `durable`, for the many files that can be made
    again, leaves to the system when the bytes reach the disk, so that a machine that loses power may lose some.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")
    try:
        yield partial
        if durable:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        is_full = error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if is_full or str(error.filename) == str(partial):
            error.filename = str(path)  # the name that people know
        raise
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def clear_partials(folder: Path, name: str = "*") -> None:
    """Removes what killed processes have left of files called `name` in `folder`, which nobody must be writing now."""
    for left in folder.glob(f".{name}.*{PARTIAL_SUFFIX}"):
        left.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes the names of the files in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
