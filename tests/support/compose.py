"""deploy/compose.yaml as what it says, with the values of an .env put in."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose.yaml"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(:(?P<kind>[-?])(?P<text>[^}]*))?\}")

Services = dict[str, dict[str, Any]]


def filled_in(text: str, values: Mapping[str, str]) -> str:
    """With the value of each variable; KeyError for one that has none, and no default."""

    def value(found: re.Match[str]) -> str:
        return values.get(found["name"]) or found["text"] if found["kind"] == "-" else values[found["name"]]

    return VARIABLE.sub(value, text)


def services(text: str) -> Services:
    """By name, what is said of each."""
    described: Services = yaml.safe_load(text)["services"]
    return described


def read_env(path: Path) -> dict[str, str]:
    """The variables of an .env."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def mounts(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Source and target of each."""
    for mount in service.get("volumes", []):
        if isinstance(mount, str):
            source, target = mount.split(":")[:2]
            yield source, target
        else:
            yield mount["source"], mount["target"]


def own_image(service: Mapping[str, Any]) -> str | None:
    """Of the images that this project builds: api, worker, ...; None for somebody else's."""
    build = service.get("build")
    return None if build is None else str(build["dockerfile"]).rpartition("Dockerfile.")[2]
