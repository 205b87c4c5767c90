"""Dockerfiles as what they say: stages, and of the last one what a container of the image runs."""

import io
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from dockerfile_parse import DockerfileParser

FOLDER = Path(__file__).parents[2] / "deploy"
IMAGES = ("api", "worker", "train", "torchserve")


@dataclass(frozen=True, kw_only=True)
class Instruction:
    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Stage:
    base: str
    instructions: tuple[Instruction, ...]

    def values(self, name: str) -> list[str]:
        """What stands behind each instruction of a name, in order."""
        return [instruction.value for instruction in self.instructions if instruction.name == name]

    def last(self, name: str) -> str:
        """What stands behind the one that counts; empty where there is none."""
        return next(reversed(self.values(name)), "")

    def pairs(self, name: str) -> dict[str, str]:
        """NAME=VALUE of all instructions of a name, such as ENV, LABEL and ARG; without a value, an empty one."""
        words = [word for value in self.values(name) for word in shlex.split(value)]
        return {name: value for name, _, value in (word.partition("=") for word in words)}


@dataclass(frozen=True, kw_only=True)
class Dockerfile:
    stages: tuple[Stage, ...]

    @property
    def image(self) -> Stage:
        """The last stage, which the image is."""
        return self.stages[-1]

    @property
    def command(self) -> list[str]:
        """What a container runs when it is told nothing else."""
        return [*self.entrypoint, *json.loads(self.image.last("CMD"))]

    @property
    def entrypoint(self) -> list[str]:
        return [str(word) for word in json.loads(self.image.last("ENTRYPOINT"))]

    @property
    def ports(self) -> set[int]:
        return {int(port) for value in self.image.values("EXPOSE") for port in value.split()}

    @property
    def health(self) -> list[str]:
        """The command of the health check; none for `HEALTHCHECK NONE`."""
        _, found, command = self.image.last("HEALTHCHECK").partition("CMD ")
        return [str(word) for word in json.loads(command)] if found else []


def dockerfile_text(image: str) -> str:
    """The text of the Dockerfile of `spade-IMAGE`."""
    return (FOLDER / f"Dockerfile.{image}").read_text()


def parse_dockerfile(text: str) -> Dockerfile:
    """Read a Dockerfile; arguments from before the first stage are put where they are used."""
    structure = DockerfileParser(fileobj=io.BytesIO(text.encode())).structure
    arguments: dict[str, str] = {}
    stages: list[tuple[str, list[Instruction]]] = []
    for part in structure:
        name, value = part["instruction"], part["value"]
        if name == "FROM":
            base = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], value.split()[0])
            stages.append((base, []))
        elif name == "ARG" and not stages:
            key, _, default = value.partition("=")
            arguments[key] = default
        elif name != "COMMENT":
            stages[-1][1].append(Instruction(name=name, value=value))
    return Dockerfile(stages=tuple(Stage(base=base, instructions=tuple(found)) for base, found in stages))
