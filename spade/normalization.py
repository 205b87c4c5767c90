"""The SPADE layer: normalization whose scale and shift are functions of the label map (arXiv 1903.07291, eq. 1 and 2).

B batch, C channels, K semantic channels, H W pixels.
"""

import torch.distributed
from torch import Tensor, nn
from torch.nn import functional

from spade.config import GeneratorConfig, Norm


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

    def forward(self, x: Tensor, semantics: Tensor) -> Tensor:
        """Takes (B, C, H, W) and semantics (B, K, any height, any width); returns (B, C, H, W)."""
        # Scale and shift, from the label map alone.
        resized = functional.interpolate(semantics, size=x.shape[2:], mode="nearest")
        hidden = functional.relu(self.shared(resized))
        gamma, beta = self.gamma(hidden), self.beta(hidden)

        # Normalize, then modulate.
        y: Tensor = self.statistics(x) * (1 + gamma) + beta
        return y


def _parameter_free_norm(norm: Norm, channels: int) -> nn.Module:
    if norm is Norm.INSTANCE:
        return nn.InstanceNorm2d(channels)
    if norm is Norm.SYNCBATCH and _is_one_of_many_processes():
        return nn.SyncBatchNorm(channels, affine=False)
    # torch's SyncBatchNorm refuses to run in a single process, where plain statistics are the same thing.
    return nn.BatchNorm2d(channels, affine=False)


def _is_one_of_many_processes() -> bool:
    distributed = torch.distributed
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
