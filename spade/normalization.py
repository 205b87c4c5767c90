"""The SPADE layer: normalization whose scale and shift are functions of the label map (arXiv 1903.07291, eq. 1 and 2).

B batch, C channels, K semantic channels, H W pixels.
"""

from torch import Tensor, nn
from torch.nn import functional

from spade.config import GeneratorConfig, Norm
from spade.semantics import SparseSemantics
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
        return self.modulate(self.statistics(x), semantics)

    def modulate(self, normalized: Tensor, semantics: Tensor | SparseSemantics) -> Tensor:
        """Takes N(x) (B, C, H, W), and semantics as `forward` does; returns (B, C, H, W)."""
        if isinstance(semantics, SparseSemantics):
            return semantics.modulate(normalized, self.shared, self.gamma, self.beta)
        resized = functional.interpolate(semantics, size=normalized.shape[2:], mode="nearest")
        hidden = functional.relu(self.shared(resized))
        y: Tensor = normalized * (1 + self.gamma(hidden)) + self.beta(hidden)
        return y


def normalize_once(first: SpadeNorm, second: SpadeNorm, x: Tensor) -> tuple[Tensor, Tensor]:
    """N(x) of two layers that see the same x: in training they differ in nothing, so one computation serves both.

    Takes (B, C, H, W) and returns it twice. Processes that train together also talk once instead of twice.
    """
    ours, theirs = first.statistics, second.statistics
    if isinstance(ours, BatchStatistics) and isinstance(theirs, BatchStatistics):
        return ours.normalize_with(theirs, x)
    normalized = ours(x)
    return normalized, normalized


def _parameter_free_norm(norm: Norm, channels: int) -> nn.Module:
    """Variances are taken as (var + eps)^-1/2, by several processes too, as everywhere in evaluation.

    The published training on several GPUs took max(var, eps)^-1/2 and then evaluated by the other formula.
    """
    if norm is Norm.INSTANCE:
        return nn.InstanceNorm2d(channels)
    return BatchStatistics(channels, synchronized=norm is Norm.SYNCBATCH)
