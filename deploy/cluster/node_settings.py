"""What a pod of a training run is told by its environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from spade.errors import ConfigError
from spade.training.checkpoint_store import S3_SCHEME

_ADDRESS = re.compile(r"[^:\s]+:[0-9]{1,5}")
_MOST_PORTS = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """One node of those that train a model together. Raises ConfigError: where a value cannot be."""

    config: Path
    """The run's configuration, as `spade train --config` reads it."""
    output: Path
    """Folder of the run's results."""
    checkpoints: str
    """Where checkpoints go: a folder that all nodes see, or a URL s3://bucket/prefix."""
    data: str
    """The dataset: a folder, or a URL s3://bucket/prefix that is fetched to `fetch_folder`; empty: as `config` says."""
    fetch_folder: Path
    model: str
    """name@version, under which the trained model is put into the object store; empty: it is not."""
    index: int
    """Of this node, from 0, which is where all meet."""
    nodes: int
    processes: int
    """Of each node, one a GPU."""
    device: str
    """As `spade train --device`; empty: as `config` says."""
    rendezvous: str
    """host:port of node 0"""
    run_id: str
    """Different for each run that may meet at the same address."""
    address: str
    """Of this node, at which the others reach it."""
    metrics_port: int

    def __post_init__(self) -> None:
        for name, value, least in (
            ("SPADE_TRAIN_NODES", self.nodes, 1),
            ("SPADE_TRAIN_PROCESSES", self.processes, 1),
            ("SPADE_TRAIN_METRICS_PORT", self.metrics_port, 1),
        ):
            if value < least:
                raise ConfigError(f"{name} is {value}; it must be {least} or more")
        if self.index >= self.nodes:
            raise ConfigError(
                f"JOB_COMPLETION_INDEX is {self.index}; with SPADE_TRAIN_NODES {self.nodes} it must be below that"
            )
        if self.metrics_port > _MOST_PORTS:
            raise ConfigError(f"SPADE_TRAIN_METRICS_PORT is {self.metrics_port}; it must be at most {_MOST_PORTS}")
        if not _ADDRESS.fullmatch(self.rendezvous):
            raise ConfigError(f"SPADE_TRAIN_RENDEZVOUS is {self.rendezvous!r}; write host:port")

    @property
    def is_first(self) -> bool:
        """Whether this is the node where all meet; which node writes checkpoints is torchrun's choice."""
        return self.index == 0

    @property
    def dataroot(self) -> str | None:
        """The dataset's folder on this node, where it is not the one that the configuration names."""
        return str(self.fetch_folder) if self.data.startswith(S3_SCHEME) else self.data or None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Raises ConfigError: naming a variable that is missing or cannot be."""

        def text(name: str) -> str:
            if not environment.get(name):
                raise ConfigError(f"the environment variable {name} is not set; a node of a training run needs it")
            return environment[name]

        def number(name: str) -> int:
            if not text(name).isdecimal():
                raise ConfigError(f"{name} is {text(name)!r}; it must be a whole number")
            return int(text(name))

        output = Path(text("SPADE_TRAIN_OUTPUT"))
        return cls(
            config=Path(text("SPADE_TRAIN_CONFIG")),
            output=output,
            checkpoints=environment.get("SPADE_TRAIN_CHECKPOINTS") or str(output / "checkpoints"),
            data=environment.get("SPADE_TRAIN_DATA", ""),
            fetch_folder=Path(environment.get("SPADE_TRAIN_FETCH_FOLDER") or "/data"),
            model=environment.get("SPADE_TRAIN_MODEL", ""),
            index=number("JOB_COMPLETION_INDEX"),
            nodes=number("SPADE_TRAIN_NODES"),
            processes=number("SPADE_TRAIN_PROCESSES"),
            device=environment.get("SPADE_TRAIN_DEVICE", ""),
            rendezvous=text("SPADE_TRAIN_RENDEZVOUS"),
            run_id=text("SPADE_TRAIN_ID"),
            address=text("SPADE_TRAIN_ADDRESS"),
            metrics_port=number("SPADE_TRAIN_METRICS_PORT"),
        )
