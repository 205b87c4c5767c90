"""Which models a worker serves: those that it was told, or all there are, those too that are added while it runs."""

import logging
from collections.abc import Callable, Sequence

from model_store.registry import Registry

_log = logging.getLogger(__name__)


class ServedModels:
    """Names of models; each stands for all its versions, for a queue has them all."""

    def __init__(self, told: Sequence[str], registry: Registry) -> None:
        """Serve the models that were `told`, or all of them if none were.

        Raises `UnknownModelError` for a name that is none, `UnusableModelError` for one whose card cannot be used; one
        with a version is none.
        """
        self._registry = registry
        self._all = not told
        self._names = tuple(registry.card(name).name for name in told) or _names(registry)

    @property
    def names(self) -> tuple[str, ...]:
        """As of the last look."""
        return self._names

    def look_again(self, found: Callable[[str], None]) -> None:
        """See whether there are models now that there were not; `found` is told of each before it is served."""
        if not self._all:
            return
        names = _names(self._registry)
        for name in names:
            if name not in self._names:
                _log.info("a new model is served", extra={"model": name})
                found(name)
        self._names = names


def _names(registry: Registry) -> tuple[str, ...]:
    return tuple(dict.fromkeys(card.name for card in registry.cards()))
