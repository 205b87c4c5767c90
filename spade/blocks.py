"""The residual block of the SPADE generator (arXiv 1903.07291, figure 4).

B batch, C channels, K semantic channels, H W pixels.
"""

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize

from spade.config import GeneratorConfig
from spade.normalization import SpadeNorm

LEAKY_SLOPE = 0.2


class SpadeBlock(nn.Module):
    """Two SPADE-normalized convolutions beside a skip connection, which is learned where the channels change."""

    def __init__(self, channels_in: int, channels_out: int, config: GeneratorConfig) -> None:
        super().__init__()
        channels_between = min(channels_in, channels_out)

        self.norm_0 = SpadeNorm(channels_in, config)
        self.conv_0 = _convolution(channels_in, channels_between, config)
        self.norm_1 = SpadeNorm(channels_between, config)
        self.conv_1 = _convolution(channels_between, channels_out, config)

        self.learns_skip = channels_in != channels_out
        if self.learns_skip:
            self.norm_skip = SpadeNorm(channels_in, config)
            self.conv_skip = _convolution(channels_in, channels_out, config, kernel_size=1, bias=False)

    def forward(self, x: Tensor, semantics: Tensor) -> Tensor:
        """Takes (B, channels_in, H, W) and semantics (B, K, any, any); returns (B, channels_out, H, W)."""
        # Skip: no activation between norm and convolution, unlike the main path.
        skip = self.conv_skip(self.norm_skip(x, semantics)) if self.learns_skip else x

        # Main path.
        change = self.conv_0(leaky_relu(self.norm_0(x, semantics)))
        change = self.conv_1(leaky_relu(self.norm_1(change, semantics)))

        summed: Tensor = skip + change
        return summed


def leaky_relu(x: Tensor) -> Tensor:
    """Leaky ReLU with the slope used throughout the generator."""
    return functional.leaky_relu(x, LEAKY_SLOPE)


def _convolution(
    channels_in: int, channels_out: int, config: GeneratorConfig, *, kernel_size: int = 3, bias: bool = True
) -> nn.Module:
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size, padding=kernel_size // 2, bias=bias)
    if config.spectral_norm:
        spectral_norm = _SpectralNorm(convolution.weight, n_power_iterations=1, dim=0, eps=1e-12)
        parametrize.register_parametrization(convolution, "weight", spectral_norm)
    return convolution


class _SpectralNorm(parametrizations._SpectralNorm):
    """torch's spectral norm, as `parametrizations.spectral_norm` sets it up.

    It begins with 15 power iterations. On tensors without memory, which are about to be given loaded values, they
    would change nothing and take a second or more.
    """

    def _power_method(self, weight_mat: Tensor, n_power_iterations: int) -> None:
        if not weight_mat.is_meta:
            super()._power_method(weight_mat, n_power_iterations)
