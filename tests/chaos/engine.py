"""An engine whose pictures anyone can foretell, and which some label maps kill or make fail."""

import os
import signal
import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_store.registry import Registry
from workers.errors import EngineUnavailableError
from workers.inputs import Inputs
from workers.settings import WorkerSettings

KILLS_ALWAYS: Final = 1
KILLS_ONCE: Final = 2
RAISES: Final = 3
UNAVAILABLE: Final = 4
FIRST_HARMLESS: Final = 5
_BATCH_SECONDS: Final = 0.08


def picture_of(ids: NDArray[np.int32], seed: int) -> NDArray[np.uint8]:
    """The picture, (H, W, 3), of class ids (H, W) and a seed."""
    rows, columns = np.indices(ids.shape)
    channels = (ids * 7, seed * 37 + rows * 3, ids * (columns + 1) + seed)
    return (np.stack(channels, axis=-1) % 256).astype(np.uint8)


class ChaosEngine:
    """Takes the place of `workers.engine.LocalEngine`. The first pixel of a label map says what it does."""

    def __init__(self, *_: Registry | WorkerSettings) -> None:
        self._pause = threading.Event()

    def device(self) -> str:
        """None of its own."""
        return "cpu"

    def load(self, model: str, version: str) -> None:
        """Nothing to load."""

    def ping(self) -> None:
        """It is never away."""

    def synthesize(self, inputs: Inputs) -> NDArray[np.uint8]:
        """Long enough that other faults find batches under way."""
        self._pause.wait(_BATCH_SECONDS)
        for item, ids in zip(inputs.items, inputs.label_maps, strict=True):
            if ids[0, 0] == KILLS_ALWAYS or (ids[0, 0] == KILLS_ONCE and item.attempt == 1):
                os.kill(os.getpid(), signal.SIGKILL)
            if ids[0, 0] == RAISES:
                raise RuntimeError("the engine fails, as it was told to")
            if ids[0, 0] == UNAVAILABLE and item.attempt == 1:
                raise EngineUnavailableError("the engine is away, as it was told to be")
        return np.stack([picture_of(ids, i.seed) for ids, i in zip(inputs.label_maps, inputs.items, strict=True)])
