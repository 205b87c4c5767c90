"""The SPADE layer: normalization whose scale and shift are functions of the label map (arXiv 1903.07291, eq. 1 and 2).

B batch, C channels, K semantic channels, H W pixels.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from spade.config import GeneratorConfig, Norm
from spade.semantics import SparseSemantics, modulated
from spade.statistics import BatchStatistics


class SpadeNorm(nn.Module):
    """y = N(x) * (1 + gamma(m)) + beta(m), with m the semantics resized to x and N without weights of its own."""

    def __init__(self, channels: int, config: GeneratorConfig) -> None:
        super().__init__()
        self.statistics = _parameter_free_norm(config.norm, channels)
        kernel, padding = config.kernel_size, config.kernel_size // 2
        hidden = config.hidden_channels
        self.shared = nn.Conv2d(config.semantic_channels, hidden, kernel, padding=padding)
        self.gamma = nn.Conv2d(hidden, channels, kernel, padding=padding)
        self.beta = nn.Conv2d(hidden, channels, kernel, padding=padding)

    def forward(self, x: Tensor, semantics: Tensor | SparseSemantics) -> Tensor:
        """Takes (B, C, H, W) and semantics (B, K, any height, any width) in either form; returns (B, C, H, W)."""
        normalize = self._begin(x)
        modulate = self._modulation(semantics, x.shape[2:])
        return modulate(normalize())

    def forward_with(self, other: "SpadeNorm", x: Tensor, semantics: Tensor | SparseSemantics) -> tuple[Tensor, Tensor]:
        """What this layer and `other`, which is of the same kind, make of the same x and semantics.

        In training N(x) is the same for both and computed once, and processes that train together talk once.
        """
        ours, theirs = self.statistics, other.statistics
        if isinstance(ours, BatchStatistics) and isinstance(theirs, BatchStatistics):
            normalize = ours.begin_with(theirs, x)
        else:
            normalize = partial(_twice, ours, x)
        modulate = self._modulation(semantics, x.shape[2:])
        modulate_for_other = other._modulation(semantics, x.shape[2:])
        normalized, normalized_for_other = normalize()
        return modulate(normalized), modulate_for_other(normalized_for_other)

    def _begin(self, x: Tensor) -> Callable[[], Tensor]:
        if isinstance(self.statistics, BatchStatistics):
            return self.statistics.begin(x)
        return partial(self.statistics, x)

    def _modulation(self, semantics: Tensor | SparseSemantics, size: torch.Size) -> Callable[[Tensor], Tensor]:
        """What follows N(x). Gamma and beta do not need it: processes may exchange its statistics meanwhile."""
        if isinstance(semantics, SparseSemantics):
            return semantics.modulation(size, self.shared, self.gamma, self.beta)
        hidden = functional.relu(self.shared(functional.interpolate(semantics, size=size, mode="nearest")))
        return partial(modulated, scale=self.gamma(hidden), shift=self.beta(hidden))


def _twice(norm: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    normalized = norm(x)
    return normalized, normalized


def _parameter_free_norm(norm: Norm, channels: int) -> nn.Module:
    """Variances are taken as (var + eps)^-1/2, by several processes too, as everywhere in evaluation.

    The published training on several GPUs took max(var, eps)^-1/2 and then evaluated by the other formula.
    """
    if norm is Norm.INSTANCE:
        return nn.InstanceNorm2d(channels)
    return BatchStatistics(channels, synchronized=norm is Norm.SYNCBATCH)
