"""Metrics and sample sheets for TensorBoard."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from spade.errors import ConfigError
from spade.training.listeners import Listener, Look, Metrics, RunFacts

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoard(Listener):
    """Writes event files, counted in pictures.

    Raises ConfigError: where the package tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if find_spec("tensorboard") is None:
            raise ConfigError(
                "--tensorboard needs the package tensorboard: install the extra [train], or leave the option out"
            )
        self._folder = folder
        self._writer: SummaryWriter | None = None
        self._pictures = 0

    def started(self, facts: RunFacts) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # Hides what an interrupted run wrote beyond the checkpoint that this one goes on from.
        self._pictures = facts.start_pictures
        self._writer = SummaryWriter(str(self._folder), purge_step=self._pictures)

    def measured(self, metrics: Metrics) -> None:
        assert self._writer is not None
        self._pictures = metrics.pictures
        values = {f"loss/{name}": value for name, value in metrics.losses.items()}
        values |= {f"learning rate/{name}": rate for name, rate in metrics.learning_rates.items()}
        values |= {"speed/images per second": metrics.images_per_second, "memory/GiB": metrics.memory_bytes / 2**30}
        for name, value in values.items():
            self._writer.add_scalar(name, value, metrics.pictures)
        self._writer.flush()

    def validated(self, look: Look) -> None:
        assert self._writer is not None
        for name, value in look.metrics.items():
            self._writer.add_scalar(f"validation/{name}", value, look.pictures)
        self._writer.flush()

    def sampled(self, sheet: Path) -> None:
        assert self._writer is not None
        with Image.open(sheet) as picture:
            pixels = np.asarray(picture)
        self._writer.add_image("samples", pixels, self._pictures, dataformats="HWC")

    def ended(self, how: str) -> None:  # noqa: ARG002 - as every listener is told
        assert self._writer is not None
        self._writer.close()
