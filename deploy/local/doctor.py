"""What this machine has of what the service needs, and how to get the rest."""

import dataclasses
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from deploy.errors import DeployError
from deploy.local.metrics import metrics_refused
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.programs import find_java, find_prometheus, find_rclone, find_redis_server, find_torchserve
from deploy.local.services import answers
from deploy.local.state import StateFolder
from model_store.card import ModelCard
from model_store.registry import Registry
from spade.errors import SpadeError

_GIB = 2**30
_NEEDED_DISK_BYTES = 2 * _GIB
_NEEDED_MEMORY_BYTES = 2 * _GIB
_PROGRAM_SECONDS = 20
_NEEDED_JAVA = 17


class Health(StrEnum):
    """Of one finding: `warning` may do for a while, `missing` keeps the service from starting."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. `remedy` says what to do unless it is ok."""

    subject: str
    health: Health
    detail: str
    remedy: str = ""


def examine(state: StateFolder, models_dir: Path) -> list[Finding]:
    """Look at everything, in the order in which the service needs it."""
    return [
        _python(),
        _package("torch", needed_for="the workers"),
        _program("redis", find_redis_server, ["--version"]),
        _program("rclone", find_rclone, ["version"]),
        _program("prometheus", find_prometheus, ["--version"], without=Health.WARNING),
        _torchserve(),
        _ports(),
        _writable("state folder", state.path),
        _writable("models folder", models_dir),
        _disk(state.path),
        _memory(),
        *_models(Registry(models_dir, report=lambda _: None)),
        _stack(state),
    ]


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info >= (3, 11)
    remedy = "" if good else "Install Python 3.11 or newer and make the virtual environment again."
    return Finding(subject="python", health=Health.OK if good else Health.MISSING, detail=version, remedy=remedy)


def _package(name: str, *, needed_for: str) -> Finding:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        remedy = f"{needed_for} need it: pip install --constraint constraints.txt 'spade-serving[local]'"
        return Finding(subject=name, health=Health.MISSING, detail="not installed", remedy=remedy)
    return Finding(subject=name, health=Health.OK, detail=version)


def _program(
    subject: str, find: Callable[[], Path], arguments: list[str], *, without: Health = Health.MISSING
) -> Finding:
    """Not only there but able to run on this machine. `without` is how bad it is if there is none."""
    try:
        path = find()
        answer = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=_PROGRAM_SECONDS, check=True, env={}
        )
    except DeployError as error:
        return Finding(subject=subject, health=without, detail="not found", remedy=str(error))
    except (OSError, subprocess.SubprocessError) as error:
        remedy = f"{path} is there but does not run: {error}. Install another one for this machine."
        return Finding(subject=subject, health=without, detail="does not run", remedy=remedy)
    return Finding(subject=subject, health=Health.OK, detail=f"{answer.stdout.splitlines()[0]} ({path})")


def _torchserve() -> Finding:
    """It is one of two engines, and not the usual one: nothing is amiss where it is not installed."""
    try:
        find_torchserve()
    except DeployError as error:
        detail = f"not needed, unless for `spade-serve up --engine torchserve`: {error}"
        return Finding(subject="torchserve", health=Health.OK, detail=detail)
    java = _program("torchserve", find_java, ["--version"])
    if java.health is not Health.OK:
        return dataclasses.replace(java, health=Health.WARNING)
    major = re.search(r"\d+", java.detail)
    if major is None or int(major[0]) < _NEEDED_JAVA:
        remedy = f"TorchServe needs Java {_NEEDED_JAVA} or newer; on Debian: apt-get install default-jre-headless"
        return dataclasses.replace(java, health=Health.WARNING, remedy=remedy)
    return java


def _ports() -> Finding:
    try:
        port = free_port()
    except OSError as error:
        remedy = "The service needs about five free TCP ports on 127.0.0.1."
        return Finding(subject="ports", health=Health.MISSING, detail=str(error), remedy=remedy)
    return Finding(subject="ports", health=Health.OK, detail=f"free ones on 127.0.0.1, {port} for instance")


def _writable(subject: str, path: Path) -> Finding:
    existing = _existing_part(path)
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding(subject=subject, health=Health.OK, detail=str(path))
    remedy = f"{existing} is not a folder that you may write to; choose another."
    return Finding(subject=subject, health=Health.MISSING, detail=str(path), remedy=remedy)


def _disk(path: Path) -> Finding:
    free = shutil.disk_usage(_existing_part(path)).free
    return _amount("disk", free, _NEEDED_DISK_BYTES, f"Free some space around {path}, or choose another --state.")


def _memory() -> Finding:
    available = psutil.virtual_memory().available
    return _amount(
        "memory", available, _NEEDED_MEMORY_BYTES, "Close something; a worker with both models takes more than 1 GiB."
    )


def _amount(subject: str, found: int, needed: int, remedy: str) -> Finding:
    detail = f"{found / _GIB:.1f} GiB free"
    if found >= needed:
        return Finding(subject=subject, health=Health.OK, detail=detail)
    return Finding(subject=subject, health=Health.WARNING, detail=detail, remedy=remedy)


def _models(registry: Registry) -> Iterator[Finding]:
    for card in registry.cards():
        yield _model(card, registry)
    for error in registry.unusable():
        subject = f"model {error.reference}"
        yield Finding(subject=subject, health=Health.WARNING, detail="its card cannot be used", remedy=str(error))


def _model(card: ModelCard, registry: Registry) -> Finding:
    subject = f"model {card.reference}"
    if card.weights.seed is not None and not registry.weights_file(card).exists():
        return Finding(subject=subject, health=Health.OK, detail=f"{card.training}; weights are drawn at first use")
    try:
        registry.weights_path(card)
    except SpadeError as error:
        return Finding(subject=subject, health=Health.MISSING, detail="weights cannot be used", remedy=str(error))
    return Finding(subject=subject, health=Health.OK, detail=f"{card.training}; weights verified")


def _stack(state: StateFolder) -> Finding:
    try:
        config = state.read_config()
    except DeployError as error:
        return Finding(subject="stack", health=Health.MISSING, detail="damaged", remedy=str(error))
    if config is not None and answers(f"{config.url}/readyz"):
        watched = answers(f"http://{LOOPBACK}:{config.prometheus_port}/-/ready")
        remedy = (watched and metrics_refused(config.url, state.path)) or ""
        health = Health.WARNING if remedy else Health.OK
        return Finding(subject="stack", health=health, detail=f"runs and is ready, {config.url}", remedy=remedy)
    return Finding(subject="stack", health=Health.OK, detail="not running; `spade-serve up` starts it")


def _existing_part(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
