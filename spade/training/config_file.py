"""The configuration of a run as a file beside its results."""

from pathlib import Path

from spade.files import written_whole
from spade.records import record_to_mapping
from spade.training.config import TrainingConfig
from spade.training.listeners import Listener, RunFacts
from spade.training.toml_files import to_toml


class ConfigFile(Listener):
    """Writes `config.toml` once the run takes place: one that is refused leaves the file of the run before it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "config.toml"

    def started(self, facts: RunFacts) -> None:
        with written_whole(self._path) as partial:
            partial.write_text(config_toml(facts.config), encoding="utf-8")


def config_toml(config: TrainingConfig) -> str:
    """All of it, as `spade train --config` reads it."""
    return to_toml(record_to_mapping(config))
