"""The engine host: loads a model once per process and turns batches into pictures."""

import threading
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from model_store.registry import Registry
from workers.inputs import Inputs

if TYPE_CHECKING:
    from spade.synthesis import Synthesizer


class Engine(Protocol):
    """Makes pictures. Runs in one thread at a time."""

    def load(self, model: str, version: str) -> None:
        """Make a model ready, so that the first batch need not wait for it."""

    def synthesize(self, inputs: Inputs) -> NDArray[np.uint8]:
        """RGB pictures, uint8 (B, H, W, 3).

        Raises `spade.errors.OutOfMemoryError` when a smaller batch may fit, any other `SpadeError` when the model
        cannot make them at all.
        """


class LocalEngine:
    """SPADE in this process. torch is imported at the first load, so that only processes that compute pay for it."""

    def __init__(self, registry: Registry, *, device: str, threads: int) -> None:
        self._registry = registry
        self._device = device
        self._threads = threads
        self._synthesizers: dict[tuple[str, str], Synthesizer] = {}
        self._lock = threading.Lock()

    def load(self, model: str, version: str) -> None:
        """Make a model ready. Raises `SpadeError` when it cannot be used."""
        self._synthesizer(model, version)

    def synthesize(self, inputs: Inputs) -> NDArray[np.uint8]:
        """As `Engine` says."""
        synthesizer = self._synthesizer(inputs.batch.model, inputs.batch.model_version)
        seeds = [item.seed for item in inputs.items]
        return synthesizer.synthesize(inputs.label_maps, inputs.instance_maps, seeds)

    def _synthesizer(self, model: str, version: str) -> "Synthesizer":
        import torch

        from model_store.loading import load_synthesizer

        with self._lock:
            if (model, version) not in self._synthesizers:
                if self._threads:
                    torch.set_num_threads(self._threads)
                card = self._registry.card(model, version)
                self._synthesizers[model, version] = load_synthesizer(self._registry, card, device=self._device)
            return self._synthesizers[model, version]
