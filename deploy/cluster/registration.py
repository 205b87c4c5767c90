"""From a finished run to a version of a model in the object store, once, whatever happens meanwhile.

Exported once more, a run need not give the same bytes, for the average's batch statistics are computed anew. So the
card goes beside the checkpoints before it goes to the store. What the store has is this run's if it has that card.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.model_transfer import push, stored_card
from model_store.card import ModelCard, is_reference
from model_store.registry import Registry
from model_store.training_export import card_of_run
from model_store.versions import add_version
from spade.errors import ConfigError
from spade.generator import SpadeGenerator
from spade.training.checkpoint_store import CheckpointStore, open_store
from spade.training.config import TrainingConfig
from spade.training.finished import Weights, read_trained_run
from workers.settings import StorageSettings
from workers.storage import ObjectStore

CARD_FILE_OF_RUN: Final = "card.json"
"""Beside the checkpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A version that a run is to become."""

    reference: str
    """name@version"""
    checkpoints: str
    """Of the run, a folder or a URL."""
    environment: Mapping[str, str] = field(repr=False)
    """Tells how to reach the object store."""

    def is_done(self) -> bool:
        """Whether the store has what this run has become."""
        stored = stored_card(self._objects, self.reference)
        return stored is not None and stored == self._card_of_run()

    def require_possible(self, config: TrainingConfig) -> None:
        """Before days of training. Raises ConfigError: where the run cannot become that version."""
        wrong = {
            "write NAME@VERSION, as in landscape@2": not is_reference(self.reference),
            "such a model ships with the program; choose another version": any(
                card.reference == self.reference for card in Registry(None).cards()
            ),
            "this run trains a pix2pixHD generator; the service knows SPADE's only": config.pix2pixhd is not None,
            "this run makes pictures from pictures; the service needs class ids": config.dataset.label_nc == 0,
        }
        for remedy, is_so in wrong.items():
            if is_so:
                raise ConfigError(f"model {self.reference!r}: {remedy}")
        if stored_card(self._objects, self.reference) is not None:
            raise ConfigError(f"model {self.reference!r}: the object store has one already; choose another version")

    def complete(self, *, device: str, dataroot: str | None, data: str | None) -> None:
        """Exports the best checkpoint, where the run is validated, or else the last, and puts it into the store.

        `data` says in the card what it was trained on.

        Raises CheckpointError, DatasetError: as `spade export run`. StorageUnavailableError. TransferError: where
        somebody has put another model there meanwhile.
        """
        run = read_trained_run(self.checkpoints, self.environment)
        weights = Weights.LAST if run.average is None else Weights.AVERAGE
        generator = run.generator(weights, device=device, dataroot=dataroot)
        assert isinstance(generator, SpadeGenerator), "require_possible has seen to it"
        with tempfile.TemporaryDirectory() as folder:
            registry = Registry(Path(folder), built_in=None)
            add_version(
                Path(folder),
                card_of_run(run, generator, self.reference, data=data),
                generator,
                run.networks.encoder,
            )
            card = registry.resolve(self.reference)
            self._store.write(CARD_FILE_OF_RUN, lambda path: _write_card(card, path))
            push(registry, card, self._objects)

    def _card_of_run(self) -> ModelCard | None:
        if CARD_FILE_OF_RUN not in self._store.names():
            return None
        with self._store.reading(CARD_FILE_OF_RUN) as path:
            text = path.read_text(encoding="utf-8", errors="replace")
        return ModelCard.from_json(text, where=self._store.place(CARD_FILE_OF_RUN))

    @property
    def _store(self) -> CheckpointStore:
        return open_store(self.checkpoints, self.environment)

    @property
    def _objects(self) -> ObjectStore:
        return ObjectStore(StorageSettings.from_environment(self.environment))


def _write_card(card: ModelCard, path: Path) -> None:
    path.write_text(card.to_json(), encoding="utf-8")
