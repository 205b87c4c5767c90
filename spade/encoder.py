"""The image encoder of the VAE variant: a picture's style as a distribution over z (arXiv 1903.07291, appendix).

B batch, H W pixels.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from spade.activations import leaky_relu
from spade.config import ENCODER_SIDE, EncoderConfig
from spade.spectral import spectral_norm

_WIDTHS = (1, 2, 4, 8, 8, 8)


class ImageEncoder(nn.Module):
    """Six halvings, then mean and log-variance of z."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.in_channels, *(config.base_channels * width for width in _WIDTHS)]
        self.convolutions = nn.ModuleList(
            self._halving(channels_in, channels_out) for channels_in, channels_out in pairwise(widths)
        )
        flat = widths[-1] * (ENCODER_SIDE >> len(_WIDTHS)) ** 2
        self.mean = nn.Linear(flat, config.latent_dim)
        self.log_variance = nn.Linear(flat, config.latent_dim)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each (B, latent_dim), of pictures (B, 3, any height, any width) in [-1, 1]."""
        x = pictures
        if x.shape[2:] != (ENCODER_SIDE, ENCODER_SIDE):
            x = functional.interpolate(x, size=(ENCODER_SIDE, ENCODER_SIDE), mode="bilinear", align_corners=False)
        for convolution in self.convolutions:
            x = leaky_relu(functional.instance_norm(convolution(x)))
        x = x.flatten(1)
        return self.mean(x), self.log_variance(x)

    def _halving(self, channels_in: int, channels_out: int) -> nn.Conv2d:
        convolution = nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1, bias=False)
        return spectral_norm(convolution) if self.config.spectral_norm else convolution


def sample_latent(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """z = mean + sigma * noise, all (B, latent_dim): the reparameterization of Kingma and Welling (arXiv 1312.6114)."""
    return mean + torch.exp(0.5 * log_variance) * noise
