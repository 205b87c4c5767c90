"""Spectral normalization (Miyato et al. 2018, arXiv 1802.05957): a weight divided by its largest singular value.

torch's own parametrization updates u before v; published checkpoints were trained with v before u, and a run that is to
go on from one, or to be compared with one, has to do the same.
"""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from spade.recomputation import is_recomputing

Convolution = TypeVar("Convolution", bound=nn.Conv2d | nn.ConvTranspose2d)

_EPSILON = 1e-12


class SpectralNorm(nn.Module):
    """The parametrization: W / sigma with sigma = u^T W v; a training pass improves u and v by one power iteration."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, *, out_dim: int) -> None:
        super().__init__()
        self._out_dim = out_dim
        matrix = self._matrix(weight)
        for name, length in (("_u", matrix.shape[0]), ("_v", matrix.shape[1])):
            start = weight.new_empty(length)
            if not weight.is_meta:  # where there is no memory to fill, torch would take a second to load what it needs
                functional.normalize(start.normal_(), dim=0, eps=_EPSILON, out=start)
            self.register_buffer(name, start)

    def forward(self, weight: Tensor) -> Tensor:
        """Takes and returns a weight of any shape; its matrix has the output channels as rows."""
        with torch.autocast(weight.device.type, enabled=False):
            matrix = self._matrix(weight)
            if self.training and not is_recomputing():
                self._iterate(matrix.detach())
            # Clones: a later pass in the same graph must not change what this one needs for its gradient.
            u, v = self._u.clone(), self._v.clone()
            return weight / torch.dot(u, torch.mv(matrix, v))

    @torch.no_grad()
    def _iterate(self, matrix: Tensor) -> None:
        torch.mv(matrix.t(), self._u, out=self._v)
        functional.normalize(self._v, dim=0, eps=_EPSILON, out=self._v)
        torch.mv(matrix, self._v, out=self._u)
        functional.normalize(self._u, dim=0, eps=_EPSILON, out=self._u)

    def _matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self._out_dim, 0).flatten(1)


def spectral_norm(convolution: Convolution) -> Convolution:
    """The same convolution with its weight under `SpectralNorm`."""
    out_dim = 1 if isinstance(convolution, nn.ConvTranspose2d) else 0
    parametrization = SpectralNorm(convolution.weight, out_dim=out_dim)
    # unsafe: skips a trial run, which would already advance u and v.
    parametrize.register_parametrization(convolution, "weight", parametrization, unsafe=True)
    return convolution
