"""From a card to a model that makes pictures. Needs torch."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_store.card import ModelCard
from model_store.drawing import draw_weights
from model_store.errors import WeightsError
from model_store.registry import Registry
from spade.checkpoint import load_encoder, load_generator, save_tensors
from spade.config import GeneratorConfig
from spade.device import pick_device
from spade.encoder import ImageEncoder
from spade.engine.cache import ModulationCache
from spade.engine.config import EngineConfig
from spade.files import PARTIAL_SUFFIX
from spade.generator import SpadeGenerator
from spade.synthesis import Synthesizer

LOCK_FILE = ".lock"


def load_synthesizer(
    registry: Registry,
    card: ModelCard,
    *,
    device: str = "auto",
    engine: EngineConfig | None = None,
    cache: ModulationCache | None = None,
) -> Synthesizer:
    """Loads the model of `card` onto `device` (`auto`, `cpu`, `cuda` or `mps`), its weights drawn first if need be.

    `engine` and `cache` are as `Synthesizer` takes them.

    Raises DeviceError: where there is no such device. WeightsError, CheckpointError: where the weights are absent, are
    not those of the card, or cannot be written. OutOfMemoryError: where the device cannot hold them.
    """
    chosen = pick_device(device)
    path = ensure_weights(registry, card)
    synthesizer = Synthesizer.from_file(path, device=chosen, engine=engine, cache=cache)
    _require_described(synthesizer.config, card, path)
    return synthesizer


def load_described_generator(registry: Registry, card: ModelCard) -> SpadeGenerator:
    """The plain network of `card` on the CPU, in evaluation mode, its weights drawn first if need be.

    Raises WeightsError, CheckpointError: as `load_synthesizer` says.
    """
    path = ensure_weights(registry, card)
    generator = load_generator(path)
    _require_described(generator.config, card, path)
    return generator


def load_described_encoder(registry: Registry, card: ModelCard) -> ImageEncoder:
    """The encoder of `card` on the CPU, in evaluation mode.

    Raises WeightsError, CheckpointError: where there is none, or its weights are absent or not those of the card.
    """
    path = registry.encoder_path(card)
    encoder = load_encoder(path)
    if card.encoder is None or encoder.config != card.encoder.config:
        raise WeightsError(f"model {card.reference}: {path} holds another architecture than its card describes")
    return encoder


def _require_described(config: GeneratorConfig, card: ModelCard, path: Path) -> None:
    if config != card.generator:
        raise WeightsError(f"model {card.reference}: {path} holds another architecture than its card describes")


def ensure_weights(registry: Registry, card: ModelCard) -> Path:
    """The verified weights of `card`; where they come from a seed and are absent, they are drawn and kept first.

    Processes that ask at the same time wait for the one that draws.

    Raises WeightsError, CheckpointError: as `load_synthesizer` says.
    """
    path = registry.weights_file(card)
    if card.weights.seed is not None and not path.exists():
        with _folder_locked(path.parent):
            if not path.exists():
                for left_by_a_killed_process in path.parent.glob(f".*{PARTIAL_SUFFIX}"):
                    left_by_a_killed_process.unlink()
                _draw(registry, card, path)
    return registry.weights_path(card)


def _draw(registry: Registry, card: ModelCard, path: Path) -> None:
    """Keeps the weights of the card's seed at `path`, if they are those of its digest."""
    seed = card.weights.seed
    assert seed is not None
    try:
        save_tensors(path, draw_weights(card.generator, seed), card.generator)
    except MemoryError as error:
        raise WeightsError(f"model {card.reference}: not enough memory to draw its weights: {error}") from error
    try:
        registry.weights_path(card)
    except WeightsError as error:
        path.unlink()
        raise WeightsError(
            f"model {card.reference}: its seed {seed} draws other weights than its card names; correct seed or sha256"
        ) from error


@contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, which the system lets go when the process ends, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_FILE).open("w")
    except OSError as error:
        raise WeightsError(f"{folder}: weights cannot be kept there: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
