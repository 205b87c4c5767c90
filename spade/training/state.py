"""All that a run is between two steps: what a checkpoint holds, and no more."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from spade.errors import CheckpointError, ConfigError
from spade.records import record_from_mapping, record_to_mapping
from spade.training.config import TrainingConfig
from spade.training.ema import AveragedGenerator
from spade.training.networks import Networks
from spade.training.optimizers import Optimizers
from spade.training.validation_config import Standing

FORMAT = 1
_ARCHITECTURE = ("generator", "discriminator", "encoder", "pix2pixhd")


@dataclass(slots=True)
class Position:
    """Where a run stands."""

    epoch: int = 1
    taken: int = 0
    """Samples of this epoch that all processes together have learned from."""
    step: int = 0
    pictures: int = 0
    """All that were learned from so far, in all epochs."""
    seconds: float = 0.0
    """Spent in training, in all runs that led here."""


@dataclass(slots=True, kw_only=True)
class RunState:
    """Networks and what goes with them, all on one device."""

    config: TrainingConfig
    networks: Networks
    optimizers: Optimizers
    scaler: torch.amp.GradScaler
    average: AveragedGenerator | None
    fingerprint: str
    """Of the dataset that is learned from."""
    position: Position = field(default_factory=Position)
    standing: Standing = field(default_factory=Standing)

    def senseless_weights(self) -> list[str]:
        """The networks, as `generator weights not finite`, in which a number is not finite."""
        return [
            f"{name} weights not finite"
            for name, network in self.networks.named()
            if not all(bool(parameter.isfinite().all()) for parameter in network.parameters())
        ]

    def to_mapping(self) -> dict[str, Any]:
        """Tensors, numbers, strings, lists and mappings: what torch loads with `weights_only`."""
        return {
            "format": FORMAT,
            "config": record_to_mapping(self.config),
            "fingerprint": self.fingerprint,
            "position": asdict(self.position),
            "standing": asdict(self.standing),
            "networks": {name: network.state_dict() for name, network in self.networks.named()},
            "average": None if self.average is None else self.average.state_dict(),
            "optimizers": {name: value.state_dict()["state"] for name, value in _named_optimizers(self.optimizers)},
            "scaler": self.scaler.state_dict(),
            "random": _random_states(),
        }

    def load_mapping(self, saved: dict[str, Any], *, where: str) -> None:
        """Goes back to what `to_mapping` gave, also on another device or with another number of processes.

        Settings that are no part of the architecture are those of this run's configuration, not the saved ones, but
        what it started from is what it did start from.

        Raises CheckpointError: where it is of another architecture, naming the first setting that differs, or lacks
        something.
        """
        with what_is_missing_told(where):
            self._load(saved, where)

    def _load(self, saved: dict[str, Any], where: str) -> None:
        theirs = saved_config(saved, where=where)
        require_same_architecture(record_to_mapping(theirs), record_to_mapping(self.config), where=where)
        self.config = replace(self.config, start=theirs.start)
        for name, network in self.networks.named():
            network.load_state_dict(saved["networks"][name])
        for name, optimizer in _named_optimizers(self.optimizers):
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": saved["optimizers"][name], "param_groups": groups})
        if self.average is not None:
            if saved["average"] is not None:
                self.average.load_state_dict(saved["average"])
            else:
                self.average.restart(self.networks.generator)
        if self.scaler.is_enabled() and saved["scaler"]:
            self.scaler.load_state_dict(saved["scaler"])
        self.position = Position(**saved["position"])
        self.standing = saved_standing(saved, where=where)
        _restore_random_states(saved["random"])


def saved_config(saved: dict[str, Any], *, where: str) -> TrainingConfig:
    """The configuration that a checkpoint at `where` holds; settings that are newer than it have their defaults.

    Raises CheckpointError: where it is of no use to this version.
    """
    try:
        return record_from_mapping(TrainingConfig, saved["config"], where=where)
    except ConfigError as error:
        raise CheckpointError(f"{where}: its configuration is of no use to this version: {error}") from error


def saved_standing(saved: dict[str, Any], *, where: str) -> Standing:
    """What the looks had come to at a checkpoint at `where`: to nothing, where it is older than looks are.

    Raises CheckpointError: where it is of no use to this version.
    """
    with what_is_missing_told(where):
        return Standing(**saved.get("standing", {}))


@contextmanager
def what_is_missing_told(where: str) -> Iterator[None]:
    """Turns the errors of reading a mapping that is no whole state into CheckpointError."""
    try:
        yield
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise CheckpointError(f"{where}: not the whole state of a run of this version: {reason}") from error


def require_same_architecture(saved: dict[str, Any], config: dict[str, Any], *, where: str) -> None:
    """Raises CheckpointError: naming the first setting of the networks in which two configurations differ."""
    for section in _ARCHITECTURE:
        theirs, ours = saved[section], config[section]
        if (theirs is None) != (ours is None):
            has, lacks = ("the checkpoint", "this configuration") if ours is None else ("this configuration", "it")
            raise CheckpointError(f"{where}: of another architecture: {has} has a section {section}, {lacks} does not")
        for name in ours or ():
            if theirs[name] != ours[name]:
                raise CheckpointError(
                    f"{where}: of another architecture: its {section} has {name} {theirs[name]}, "
                    f"this configuration has {ours[name]}"
                )


def _named_optimizers(optimizers: Optimizers) -> list[tuple[str, torch.optim.Adam]]:
    return [("generator", optimizers.generator), ("discriminator", optimizers.discriminator)]


def _random_states() -> dict[str, Any]:
    """Of the first process: all processes start alike and draw alike."""
    name, keys, *rest = np.random.get_state()
    states = {
        "python": random.getstate(),
        "numpy": [str(name), torch.from_numpy(np.array(keys, dtype=np.int64)), *map(float, rest)],
        "torch": torch.get_rng_state(),
    }
    return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_initialized() else {})


def _restore_random_states(states: dict[str, Any]) -> None:
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), int(position), int(has_gauss), cached))
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_initialized():
        torch.cuda.set_rng_state(states["cuda"])
