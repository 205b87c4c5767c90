"""Means of losses and speed between two lines of metrics."""

import math
import resource
import sys
import time

import torch

from spade.training.distributed import Processes
from spade.training.listeners import Metrics
from spade.training.objective import Losses
from spade.training.optimizers import Optimizers
from spade.training.state import Position


class Meter:
    """Sums up losses on the device, so that a step need not wait for its numbers."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._restart()

    def _restart(self) -> None:
        self._sums: Losses = {}
        self._steps_with: dict[str, int] = {}
        self._epoch = 0
        self._steps = 0
        self._pictures = 0
        self._seconds = 0.0

    def add(self, losses: Losses, *, epoch: int, pictures: int, seconds: float) -> None:
        """Counts one step of `epoch`: this process's losses, and the pictures of all processes."""
        self._epoch = epoch
        for name, loss in losses.items():
            self._sums[name] = self._sums.get(name, torch.zeros_like(loss)) + loss
            self._steps_with[name] = self._steps_with.get(name, 0) + 1
        self._steps += 1
        self._pictures += pictures
        self._seconds += seconds

    @property
    def is_empty(self) -> bool:
        return self._steps == 0

    def read(self, position: Position, optimizers: Optimizers) -> Metrics:
        """The means over all processes, which must all ask; then starts again from zero.

        A loss counts in those steps that had it: the generator may learn in fewer than the discriminator.
        """
        assert self._sums, "metrics are read after a step at least"
        means = self._processes.mean(torch.stack(list(self._sums.values())))
        metrics = Metrics(
            time=time.time(),
            epoch=self._epoch,  # which may be over by now
            step=position.step,
            pictures=position.pictures,
            seconds=position.seconds,
            losses={name: mean / self._steps_with[name] for name, mean in zip(self._sums, means.tolist(), strict=True)},
            learning_rates={
                "generator": optimizers.generator.param_groups[0]["lr"],
                "discriminator": optimizers.discriminator.param_groups[0]["lr"],
            },
            images_per_second=self._pictures / max(self._seconds, 1e-9),
            step_seconds=self._seconds / self._steps,
            memory_bytes=_memory_bytes(self._processes.device),
        )
        self._restart()
        return metrics


def senseless(metrics: Metrics, limit: float) -> list[str]:
    """The losses, as `GAN nan`, that are not finite or beyond `limit`."""
    return [
        f"{name} {value:.4g}"
        for name, value in metrics.losses.items()
        if not math.isfinite(value) or abs(value) > limit
    ]


def _memory_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
