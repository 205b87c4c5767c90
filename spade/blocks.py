"""The residual block of the SPADE generator (arXiv 1903.07291, figure 4).

B batch, C channels, K semantic channels, H W pixels.
"""

import torch
from torch import Tensor, nn

from spade.activations import leaky_relu
from spade.config import GeneratorConfig
from spade.normalization import SpadeNorm
from spade.recomputation import recomputed
from spade.semantics import SparseSemantics
from spade.spectral import spectral_norm


class SpadeBlock(nn.Module):
    """Two SPADE-normalized convolutions beside a skip connection, which is learned where the channels change."""

    def __init__(self, channels_in: int, channels_out: int, config: GeneratorConfig) -> None:
        super().__init__()
        channels_between = min(channels_in, channels_out)

        self.norm_0 = SpadeNorm(channels_in, config)
        self.conv_0 = _convolution(channels_in, channels_between, config)
        self.norm_1 = SpadeNorm(channels_between, config)
        self.conv_1 = _convolution(channels_between, channels_out, config)

        self.recomputes = False
        """Whether activations for the backward pass are computed again rather than kept."""
        self.learns_skip = channels_in != channels_out
        if self.learns_skip:
            self.norm_skip = SpadeNorm(channels_in, config)
            self.conv_skip = _convolution(channels_in, channels_out, config, kernel_size=1, bias=False)

    def forward(self, x: Tensor, semantics: Tensor | SparseSemantics) -> Tensor:
        """Takes (B, channels_in, H, W) and semantics (B, K, any, any); returns (B, channels_out, H, W)."""
        if self.recomputes and torch.is_grad_enabled():
            return recomputed(self._compute, x, semantics)
        return self._compute(x, semantics)

    def _compute(self, x: Tensor, semantics: Tensor | SparseSemantics) -> Tensor:
        # Skip: no activation between norm and convolution, unlike the main path.
        if self.learns_skip:
            change, skip = self.norm_0.forward_with(self.norm_skip, x, semantics)
            skip = self.conv_skip(skip)
        else:
            change, skip = self.norm_0(x, semantics), x

        # Main path.
        change = self.conv_0(leaky_relu(change))
        change = self.conv_1(leaky_relu(self.norm_1(change, semantics)))

        summed: Tensor = skip + change
        return summed


def _convolution(
    channels_in: int, channels_out: int, config: GeneratorConfig, *, kernel_size: int = 3, bias: bool = True
) -> nn.Module:
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size, padding=kernel_size // 2, bias=bias)
    return spectral_norm(convolution) if config.spectral_norm else convolution
