"""The engine host: loads a model once per process and turns batches into pictures."""

import threading
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from model_store.card import ModelCard
from model_store.registry import Registry
from spade.config import GeneratorConfig
from spade.cpus import usable_cpus
from workers.accepted_models import accepted_card
from workers.inputs import Inputs
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from model_store.style_latents import StyleLatents
    from spade.engine.cache import ModulationCache
    from spade.synthesis import Synthesizer


class Engine(Protocol):
    """Makes pictures. Runs in one thread at a time."""

    def device(self) -> str:
        """What computes, as `spade.device.device_title` says. Asked first; raises `DeviceError` where there is none."""

    def load(self, model: str, version: str) -> None:
        """Make a model ready, so that the first batch need not wait for it."""

    def synthesize(self, inputs: Inputs) -> NDArray[np.uint8]:
        """RGB pictures, uint8 (B, H, W, 3).

        Raises `spade.errors.OutOfMemoryError` when a smaller batch may fit, any other `SpadeError` when the model
        cannot make them at all, `EngineUnavailableError` when the engine is away just now.
        """

    def ping(self) -> None:
        """Raise `EngineUnavailableError` where the engine is away."""


class LocalEngine:
    """SPADE in this process. torch is imported when it is needed first, so that only processes that compute pay for it.

    Models with the same weights, as versions of one that differ in their classes' names, share one engine, and all
    engines share one cache of what they keep for more pictures of a label map.
    """

    def __init__(self, registry: Registry, settings: WorkerSettings) -> None:
        self._registry = registry
        self._settings = settings
        self._cache: ModulationCache | None = None
        self._synthesizers: dict[tuple[str, GeneratorConfig], Synthesizer] = {}
        self._styles: StyleLatents | None = None
        self._device: str | None = None
        self._lock = threading.Lock()

    def device(self) -> str:
        """As `Engine` says. The first call imports torch."""
        if self._device is None:
            from spade.device import device_title, pick_device

            self._device = device_title(pick_device(self._settings.device))
        return self._device

    def load(self, model: str, version: str) -> None:
        """Make a model ready. Raises `SpadeError` when it cannot be used."""
        self._synthesizer(self._registry.card(model, version))

    def synthesize(self, inputs: Inputs) -> NDArray[np.uint8]:
        """As `Engine` says."""
        card = accepted_card(self._registry, inputs.batch)
        synthesizer = self._synthesizer(card)
        seeds = [item.seed for item in inputs.items]
        assert self._styles is not None, "it is made with the first synthesizer"
        styles = [None if item.style is None else item.style.chosen for item in inputs.items]
        latents = self._styles.latents(card, styles, inputs.style_pictures)
        return synthesizer.synthesize(inputs.label_maps, inputs.instance_maps, seeds, latents)

    def ping(self) -> None:
        """It is never away."""

    def _synthesizer(self, card: ModelCard) -> "Synthesizer":
        with self._lock:
            # With what the card says of them, which loading holds against the weights.
            key = card.weights.sha256, card.generator
            if key not in self._synthesizers:
                self._synthesizers[key] = self._load(card)
            return self._synthesizers[key]

    def _load(self, card: ModelCard) -> "Synthesizer":
        import torch

        from model_store.loading import load_synthesizer
        from model_store.style_latents import StyleLatents
        from spade.engine.cache import ModulationCache
        from spade.engine.config import EngineConfig

        settings = self._settings
        torch.set_num_threads(settings.threads or usable_cpus())
        config = EngineConfig(precision=settings.precision, compile=settings.compile, cache_bytes=settings.cache_bytes)
        if self._cache is None:
            self._cache = ModulationCache(config.cache_bytes)
            self._styles = StyleLatents(self._registry)
        return load_synthesizer(self._registry, card, device=settings.device, engine=config, cache=self._cache)
