"""The kernel distance of two sets of features, KID (Binkowski et al. 2018, arXiv 1801.01401).

N pictures, D features.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from spade.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSubsets:
    """How random subsets are drawn."""

    count: int = 100
    size: int = 1000
    """Pictures of either side in a subset, at most."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelDistance:
    """Mean and deviation over the subsets of the squared maximum mean discrepancy; may be below 0 by chance."""

    mean: float
    deviation: float
    subsets: int
    subset_size: int


class FeatureSample:
    """A sample of features that come in batches: all of them up to `limit`, then each with equal chance.

    (Vitter 1985, algorithm R.) The seed decides which; in float32 on the CPU.
    """

    def __init__(self, limit: int, *, seed: int) -> None:
        self._limit = limit
        self._random = torch.Generator().manual_seed(seed)
        self._kept: list[Tensor] = []
        self.count = 0
        """Pictures seen."""

    def update(self, features: Tensor) -> None:
        """Adds (N, D) features."""
        for row in features.detach().to("cpu", torch.float32):
            if len(self._kept) < self._limit:
                self._kept.append(row.clone())
            else:
                place = int(torch.randint(self.count + 1, (1,), generator=self._random))
                if place < self._limit:
                    self._kept[place] = row.clone()
            self.count += 1

    def features(self) -> Tensor:
        """(N, D) with N the smaller of `limit` and `count`."""
        return torch.stack(self._kept)


def kernel_distance(one: Tensor, other: Tensor, subsets: KernelSubsets) -> KernelDistance:
    """Of features (N, D) and (M, D), by the kernel (x . y / D + 1)^3, over random subsets of both.

    Subsets are no larger than the smaller side; where they are all of both sides, one tells all that there is.

    Raises ConfigError: where a side has fewer than two pictures.
    """
    size = min(subsets.size, len(one), len(other))
    if size < 2:
        raise ConfigError(f"KID needs two pictures or more on either side, not {len(one)} and {len(other)}")
    count = 1 if size == len(one) == len(other) else subsets.count
    random = torch.Generator().manual_seed(subsets.seed)
    one, other = one.double(), other.double()
    distances = []
    for _ in range(count):
        chosen = (torch.randperm(len(side), generator=random)[:size] for side in (one, other))
        distances.append(poly_mmd(one[next(chosen)], other[next(chosen)]))
    values = torch.stack(distances)
    return KernelDistance(
        mean=values.mean().item(),
        deviation=values.std(unbiased=False).item(),
        subsets=count,
        subset_size=size,
    )
