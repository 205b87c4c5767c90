"""Packages for a pip without an index, offline: what is installed for the tests, which is what constraints.txt pins.

pip is given wheels that say of themselves what the real ones do, and hold nothing else: it chooses as ever, writes the
programs, and leaves a note of each package. Then the files of those packages are linked to where they lie.
"""

import importlib.metadata
import re
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def write_wheels(folder: Path, extras: tuple[str, ...]) -> None:
    """Wheels of all that the extras of this project need, and of no other package."""
    for name in _needed(extras):
        _write_wheel(importlib.metadata.distribution(name), folder)


def link_files(site_packages: Path) -> None:
    """Put the files of packages whose wheels have been installed where they belong."""
    names = {found.name for found in importlib.metadata.distributions(path=[str(site_packages)])}
    for name in names - {_project()["name"]}:
        for file in importlib.metadata.distribution(name).files or []:
            if not (file.parts[0] == ".." or file.parts[0].endswith(".dist-info")):
                link = site_packages / file
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(Path(str(file.locate())))


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def _needed(extras: tuple[str, ...]) -> set[str]:
    project = _project()
    optional = project["optional-dependencies"]
    waiting = [*project["dependencies"], *(line for extra in extras for line in optional[extra])]
    known: set[str] = set()
    names: set[str] = set()
    while waiting:
        line = waiting.pop()
        requirement = Requirement(line)
        if line in known:
            continue
        known.add(line)
        if requirement.name == project["name"]:
            waiting += [needed for extra in requirement.extras for needed in optional[extra]]
        else:
            names.add(requirement.name)
            waiting += _needs(requirement)
    return {importlib.metadata.distribution(name).name for name in names}


def _needs(requirement: Requirement) -> Iterator[str]:
    """What a package needs here, with the extras that are asked of it."""
    for line in importlib.metadata.requires(requirement.name) or []:
        marker = Requirement(line).marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in requirement.extras or {""}):
            yield line.partition(";")[0]


def _write_wheel(installed: importlib.metadata.Distribution, folder: Path) -> None:
    name = f"{re.sub(r'[-_.]+', '_', installed.name)}-{installed.version}"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        for said in ("METADATA", "WHEEL", "entry_points.txt"):
            if (text := installed.read_text(said)) is not None:
                wheel.writestr(f"{name}.dist-info/{said}", text)
        wheel.writestr(f"{name}.dist-info/RECORD", "")
