"""The exponential moving average of a generator's weights (Karras et al. 2018, arXiv 1710.10196, section 6)."""

import copy
from collections.abc import Iterable
from typing import Any, Self

import torch

from spade.statistics import BatchStatistics
from spade.training.networks import Generator

_MOMENTUM = 0.1
_EARLY = 10
"""The first steps count more than the decay says, or the first weights, which know nothing, would stay for long."""


class AveragedGenerator:
    """Averages the parameters of `generator` over the steps of a training."""

    def __init__(self, generator: Generator, *, decay: float) -> None:
        self._average = copy.deepcopy(generator).requires_grad_(False)
        self._decay = decay
        self._updates = 0

    @torch.no_grad()
    def update(self, generator: Generator) -> None:
        """Takes in the weights after a step. Buffers are no averages: the last ones stand in for them."""
        decay = min(self._decay, (1 + self._updates) / (_EARLY + self._updates))
        self._updates += 1
        for average, parameter in zip(self._average.parameters(), generator.parameters(), strict=True):
            average.lerp_(parameter, 1 - decay)
        for kept, buffer in zip(self._average.buffers(), generator.buffers(), strict=True):
            kept.copy_(buffer)

    @torch.no_grad()
    def estimated(self, batches: Iterable[tuple[Any, ...]]) -> Generator:
        """The average as a generator of its own, in evaluation mode.

        No network ran with the averaged weights, so there are no batch statistics of theirs: they become the means over
        `batches`, each the arguments of one pass. Meanwhile power iteration finds the averaged weights' spectral norms.
        """
        generator = copy.deepcopy(self._average).train()
        statistics = [module for module in generator.modules() if isinstance(module, BatchStatistics)]
        for number, arguments in enumerate(batches, start=1):
            _set_momentum(statistics, 1 / number)
            generator(*arguments)
        _set_momentum(statistics, _MOMENTUM)
        return generator.eval()

    def to(self, device: torch.device) -> Self:
        """The same, moved to `device`."""
        self._average.to(device)
        return self

    def restart(self, generator: Generator) -> None:
        """Begins anew from the weights of `generator`."""
        self.load_state_dict({"updates": 0, "generator": generator.state_dict()})

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self._updates, "generator": self._average.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._updates = state["updates"]
        self._average.load_state_dict(state["generator"])


def _set_momentum(statistics: Iterable[BatchStatistics], momentum: float) -> None:
    for module in statistics:
        module.momentum = momentum
