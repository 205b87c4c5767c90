"""Keeps TorchServe's models those of the registry."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.errors import DeployError, TorchServeAwayError
from deploy.torchserve.management import TorchServeManagement
from deploy.torchserve.server import TorchServe
from model_store.card import ModelCard
from model_store.registry import Registry
from model_store.torchserve.archive import write_archive
from model_store.torchserve.config import ArchiveConfig
from spade.errors import SpadeError
from workers.periodic import Periodic

_LOOK_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 60.0
"""Before a model is tried again that could not be registered."""


class ModelKeeper:
    """Registers versions of models that appear, the newest first, and unregisters those that go. For one thread.

    A TorchServe that was started again has none, and gets all of them anew.
    """

    def __init__(
        self,
        management: TorchServeManagement,
        registry: Registry,
        *,
        archives: Path,
        config: ArchiveConfig,
        report: Callable[[str], None],
        names: Sequence[str] = (),
    ) -> None:
        """`archives` is TorchServe's model store; `names` are the models that are served, all if empty."""
        self._management = management
        self._registry = registry
        self._archives = archives
        self._config = config
        self._report = report
        self._names = names
        self._not_before: dict[str, float] = {}
        self._told = ""

    def look(self) -> None:
        """Do what is to be done now. What fails is reported, and tried again after a while."""
        try:
            registered = set(self._management.models())
            for card in self._cards():
                if card.reference not in registered and time.monotonic() >= self._not_before.get(card.reference, 0.0):
                    self._register(card)
            for reference in sorted(registered - {card.reference for card in self._cards()}):
                self._management.unregister(reference)
                self._report(f"TorchServe serves {reference} no longer")
        except TorchServeAwayError:
            pass  # it starts or ends just now; whoever runs it says so
        except (DeployError, SpadeError, OSError) as error:
            told = f"models cannot be compared with TorchServe's: {error}"
            if told != self._told:
                self._report(told)
            self._told = told
        else:
            self._told = ""

    def _cards(self) -> list[ModelCard]:
        cards = [card for card in self._registry.cards() if not self._names or card.name in self._names]
        newest_first = sorted(cards, key=lambda card: card.version_key, reverse=True)
        return sorted(newest_first, key=lambda card: card.weights.seed is not None)  # to draw weights takes a while

    def _register(self, card: ModelCard) -> None:
        started = time.monotonic()
        try:
            archive = write_archive(self._registry, card, self._archives, self._config)
            self._management.register(card.reference, archive.name, seconds=self._config.startup_seconds + 10)
            archive.unlink()  # TorchServe has unpacked it
        except TorchServeAwayError:
            raise
        except (DeployError, SpadeError, OSError) as error:
            self._not_before[card.reference] = time.monotonic() + _AGAIN_SECONDS
            self._report(f"TorchServe cannot serve {card.reference}: {error}; next try in {_AGAIN_SECONDS:g} s")
        else:
            self._report(f"TorchServe serves {card.reference}, after {time.monotonic() - started:.1f} s")


@contextmanager
def models_kept(
    server: TorchServe,
    registry: Registry,
    *,
    config: ArchiveConfig,
    report: Callable[[str], None],
    names: Sequence[str] = (),
) -> Iterator[None]:
    """A keeper of `server`'s models is at work, in a thread of its own, while the body runs."""
    with TorchServeManagement(server.management_url, server.key_file) as management:
        keeper = ModelKeeper(management, registry, archives=server.archives, config=config, report=report, names=names)
        looks = Periodic("models of TorchServe", keeper.look, interval_seconds=_LOOK_SECONDS)
        looks.start()
        try:
            yield
        finally:
            looks.stop()
