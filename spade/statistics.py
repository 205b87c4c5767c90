"""Batch normalization without weights of its own, over this process's batch or over that of all processes.

torch's SyncBatchNorm runs on GPUs only and refuses a single process; this one runs anywhere and gives in N processes
what one process gives for the whole batch, gradients included.

B batch, C channels, H W pixels.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn import functional

from spade.joint_normalization import begin_joint_normalization
from spade.recomputation import is_recomputing


class BatchStatistics(nn.BatchNorm2d):
    """(x - mean) / sqrt(var + eps): of the batch in training, running averages in evaluation.

    `synchronized`: the batch is that of all processes, where there are several.
    """

    def __init__(self, channels: int, *, synchronized: bool) -> None:
        super().__init__(channels, affine=False)
        self.synchronized = synchronized

    def forward(self, x: Tensor) -> Tensor:
        """Takes (B, C, H, W) of any float type; returns the same shape, computed in float32 or better."""
        return self.begin(x)()

    def begin(self, x: Tensor) -> Callable[[], Tensor]:
        """Begin what `forward` does; the function returned ends it.

        What is computed meanwhile costs no time where processes would wait for one another.
        """
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        if self.training and self.synchronized and _is_one_of_many_processes():
            return partial(self._end, begin_joint_normalization(x, self.eps))
        return partial(self._normalize, x)

    def begin_with(self, other: "BatchStatistics", x: Tensor) -> Callable[[], tuple[Tensor, Tensor]]:
        """Begin what this layer and `other`, which is of the same kind, do with x; in training it is done once.

        Running averages are each layer's own and may differ, so in evaluation the results may, too.
        """
        end = self.begin(x)

        def end_both() -> tuple[Tensor, Tensor]:
            if not self.training:
                return end(), other(x)
            before = [average.clone() for average in self._averages()]
            normalized = end()
            if not is_recomputing():
                other._follow(self, before)
            return normalized, normalized

        return end_both

    def _normalize(self, x: Tensor) -> Tensor:
        if not self.training:
            return functional.batch_norm(x, self.running_mean, self.running_var, eps=self.eps)
        mean, variance = self._averages()
        if is_recomputing():  # the same computation on copies: this pass was averaged already
            mean, variance = mean.clone(), variance.clone()
        elif not self.synchronized:  # nor do published checkpoints count batches there
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
        return functional.batch_norm(x, mean, variance, training=True, momentum=self.momentum or 0.0, eps=self.eps)

    @torch.no_grad()
    def _follow(self, other: "BatchStatistics", before: Sequence[Tensor]) -> None:
        """Average what `other` just did, whose averages were `before`: alike ones stay alike to the bit."""
        kept = 1 - (other.momentum or 0.0)
        for average, previous, now in zip(self._averages(), before, other._averages(), strict=True):
            average.copy_(torch.add(now, average - previous, alpha=kept))
        if self.num_batches_tracked is not None and not self.synchronized:
            self.num_batches_tracked.add_(1)

    def _end(self, end: Callable[[], tuple[Tensor, Tensor, Tensor, Tensor]]) -> Tensor:
        normalized, mean, variance, pixels = end()
        if not is_recomputing():
            self._average(mean, variance * pixels / (pixels - 1))
        return normalized

    @torch.no_grad()
    def _average(self, mean: Tensor, variance: Tensor) -> None:
        for average, value in zip(self._averages(), (mean, variance), strict=True):
            average.lerp_(value, self.momentum or 0.0)

    def _averages(self) -> tuple[Tensor, Tensor]:
        assert self.running_mean is not None
        assert self.running_var is not None
        return self.running_mean, self.running_var


def _is_one_of_many_processes() -> bool:
    distributed = torch.distributed
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
