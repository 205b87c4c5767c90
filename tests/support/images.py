"""Images without an engine: the commands of a Dockerfile run here, and the programs that they install."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from support.dockerfiles import Dockerfile, Stage, dockerfile_text, parse_dockerfile
from support.wheelhouse import ROOT, link_files

INSTALLED = "/opt/spade"
STATE = "/var/lib/spade"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """`folder` has what the image has in INSTALLED and STATE, and what it was built in."""

    dockerfile: Dockerfile
    folder: Path

    def here(self, text: str) -> str:
        """With the folders of the image where they lie on this machine."""
        return text.replace(INSTALLED, str(self.folder / "installed")).replace(STATE, str(self.folder / "state"))

    def environment(self, told: Mapping[str, str]) -> dict[str, str]:
        """That of a container which is told `told`, and nothing of this process's own."""
        own = {name: self.here(value) for name, value in self.dockerfile.image.pairs("ENV").items()}
        own["PATH"] = own["PATH"].replace("$PATH", SYSTEM_PATH)
        return {"HOME": self.here(STATE), **own, **told}

    def run(self, *arguments: str, told: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """A program of the image, to its end, as `docker run --entrypoint` runs it."""
        environment = self.environment(told or {})
        program = shutil.which(arguments[0], path=environment["PATH"])
        assert program is not None
        assert program.startswith(str(self.folder)), f"{program} is not of the image"
        return subprocess.run(
            [program, *arguments[1:]],
            env=environment,
            cwd=self.here(STATE),
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    @contextmanager
    def running(self, *arguments: str, told: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
        """Its entry point with `arguments`, or its own; at the end it has to stop well at SIGTERM."""
        command = [*self.dockerfile.entrypoint, *arguments] if arguments else self.dockerfile.command
        environment = self.environment(told)
        program = shutil.which(command[0], path=environment["PATH"])
        assert program is not None
        assert program.startswith(str(self.folder)), f"{program} is not of the image"
        started = [*_as_process_1(), program, *map(self.here, command[1:])]
        with (self.folder / "container.log").open("ab") as log:
            process = subprocess.Popen(started, env=environment, cwd=self.here(STATE), stdout=log, stderr=log)
        try:
            yield process
            for told in psutil.Process(process.pid).children() if _as_process_1() else [process]:
                told.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, (self.folder / "container.log").read_text()[-4000:]
        finally:
            process.kill()
            process.wait()

    def is_well(self, port: int) -> bool:
        """What the health check says, asked at `port`."""
        command = [re.sub(r"(//127.0.0.1):\d+/", rf"\1:{port}/", self.here(word)) for word in self.dockerfile.health]
        return self.run(*command).returncode == 0


@cache
def _as_process_1() -> list[str]:
    """Makes a command process 1 of its own, as in a container, whose signals are its own affair; where that may be."""
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    works = shutil.which("unshare") is not None and subprocess.run([*command, "true"], check=False).returncode == 0
    return command if works else []


def build_image(name: str, folder: Path, wheels: Path) -> BuiltImage:
    """Run what the first stage of a Dockerfile runs, with packages from `wheels` only."""
    dockerfile = parse_dockerfile(dockerfile_text(name))
    image = BuiltImage(dockerfile=dockerfile, folder=folder)
    for state in ("models", "keys", "torchserve"):
        (folder / "state" / state).mkdir(parents=True)
    (folder / "build").mkdir()
    stage = dockerfile.stages[0]
    for instruction in stage.instructions:
        if instruction.name == "COPY":
            _copy(*instruction.value.split(), build=folder / "build")
        elif instruction.name == "RUN":
            _run(image.here(instruction.value), stage, folder / "build", wheels)
        else:
            assert instruction.name in ("ARG", "WORKDIR"), instruction
    link_files(next((folder / "installed").glob("lib/python*/site-packages")))
    return image


def _copy(*names: str, build: Path) -> None:
    """From the checkout, of what .dockerignore lets through."""
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    *sources, target = names
    assert let_through.issuperset(sources), f"{sources} are not in the context"
    for source in sources:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, build / target, ignore=shutil.ignore_patterns("__pycache__", ".env*"))
        else:
            shutil.copy(ROOT / source, build / target)


def _run(command: str, stage: Stage, build: Path, wheels: Path) -> None:
    """The Python of the tests stands for that of the base image."""
    environment = {
        **stage.pairs("ARG"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{SYSTEM_PATH}",
        "HOME": str(build),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=environment, cwd=build, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
