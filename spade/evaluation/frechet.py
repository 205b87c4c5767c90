"""The Frechet distance of two sets of features, taken as normal distributions (Heusel et al. 2017, arXiv 1706.08500).

N pictures, D features.
"""

import torch
from torch import Tensor

from spade.errors import ConfigError


class FeatureStatistics:
    """Mean and covariance of features that come in batches; memory does not grow. In float64 on the CPU."""

    def __init__(self, dimension: int) -> None:
        self.count = 0
        self.mean = torch.zeros(dimension, dtype=torch.float64)
        self._scatter = torch.zeros((dimension, dimension), dtype=torch.float64)

    def update(self, features: Tensor) -> None:
        """Adds (N, D) features."""
        new = features.detach().to("cpu", torch.float64)
        mean = new.mean(dim=0)
        centred = new - mean
        # Merged around the means rather than from sums of squares, which would cancel (Chan et al. 1979).
        total = self.count + len(new)
        step = mean - self.mean
        self._scatter += centred.T @ centred + torch.outer(step, step) * (self.count * len(new) / total)
        self.mean += step * (len(new) / total)
        self.count = total

    @property
    def covariance(self) -> Tensor:
        """(D, D), the unbiased estimate. Raises ConfigError: of fewer than two pictures."""
        if self.count < 2:
            raise ConfigError(f"the Frechet distance needs two pictures or more on either side, not {self.count}")
        return self._scatter / (self.count - 1)


def frechet_distance(one: FeatureStatistics, other: FeatureStatistics) -> float:
    """|m1 - m2|^2 + trace(S1 + S2 - 2 (S1 S2)^(1/2)).

    With S = F F^T, the trace of the root is the sum of the singular values of F1^T F2. That keeps all digits where
    there are fewer pictures than features; the eigenvalues of S1 S2, which are commonly taken, lose half of them to
    rounding then.

    Raises ConfigError: where a side has fewer than two pictures, or their features differ in number.
    """
    if one.mean.shape != other.mean.shape:
        raise ConfigError(f"features of {len(one.mean)} and {len(other.mean)} numbers cannot be compared")
    covariances = one.covariance, other.covariance
    roots = [_root(covariance) for covariance in covariances]
    trace_of_root = torch.linalg.svdvals(roots[0].T @ roots[1]).sum()
    spread = sum(covariance.trace() for covariance in covariances) - 2 * trace_of_root
    return float((one.mean - other.mean).square().sum() + spread)


def _root(covariance: Tensor) -> Tensor:
    """F with F F^T = covariance, without the directions in which there is nothing but rounding."""
    values, vectors = torch.linalg.eigh(covariance)
    smallest = values.max() * len(values) * torch.finfo(values.dtype).eps
    kept = values > smallest
    root: Tensor = vectors[:, kept] * values[kept].sqrt()
    return root
