"""Which files lie in a folder, in an order that people expect."""

import os
import re
from collections.abc import Collection
from pathlib import Path

from spade.data.errors import DatasetError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".tiff", ".tif", ".webp"})
LIST_NAME = "files.list"


def list_files(folder: Path, suffixes: Collection[str] = PICTURE_SUFFIXES) -> list[Path]:
    """The files under `folder` and its subfolders whose ending, in any case, is one of `suffixes`, in natural order.

    A file `files.list` in the folder, with one path a line, relative to the folder or absolute, is read instead of
    looking. Hidden files are passed over: some systems leave copies such as `._0001.png`.

    Raises DatasetError: where the folder, or a file of its list, does not exist.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: there is no such folder")
    listed = folder / LIST_NAME
    if listed.is_file():
        return [path for path in _read_list(listed) if path.suffix.lower() in suffixes]
    found = [Path(parent, name) for parent, _, names in os.walk(folder, followlinks=True) for name in names]
    wanted = (path for path in found if path.suffix.lower() in suffixes and not path.name.startswith("."))
    return sorted(wanted, key=natural_key)


def natural_key(path: Path) -> tuple[tuple[int, str], ...]:
    """Sorts runs of digits by their value, so that frame 10 comes after frame 9."""
    parts = re.split(r"(\d+)", path.as_posix())
    return tuple((int(part), "") if part.isdecimal() else (0, part) for part in parts)


def _read_list(listed: Path) -> list[Path]:
    lines = [line.strip() for line in listed.read_text(encoding="utf-8").splitlines()]
    paths = [listed.parent / line for line in lines if line]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        shown = ", ".join(missing[:5])
        raise DatasetError(f"{listed}: {len(missing)} of its {len(paths)} files do not exist: {shown}")
    return paths
