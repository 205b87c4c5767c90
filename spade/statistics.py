"""Batch normalization without weights of its own, over this process's batch or over that of all processes.

torch's SyncBatchNorm runs on GPUs only and refuses a single process; this one runs anywhere and gives in N processes
what one process gives for the whole batch, gradients included.

B batch, C channels, H W pixels.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn import functional

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
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        if not self.training:
            return functional.batch_norm(x, self.running_mean, self.running_var, eps=self.eps)
        if self.synchronized and _is_one_of_many_processes():
            return self._over_all_processes(x)
        mean, variance = self._averages()
        if is_recomputing():  # the same computation on copies: this pass was averaged already
            mean, variance = mean.clone(), variance.clone()
        elif not self.synchronized:  # nor do published checkpoints count batches there
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
        return functional.batch_norm(x, mean, variance, training=True, momentum=self.momentum or 0.0, eps=self.eps)

    def normalize_with(self, other: "BatchStatistics", x: Tensor) -> tuple[Tensor, Tensor]:
        """What this layer and `other`, which is of the same kind, give for x; in training it is computed once.

        Running averages are each layer's own and may differ, so in evaluation the results may, too.
        """
        if not self.training:
            return self(x), other(x)
        before = [average.clone() for average in self._averages()]
        normalized = self(x)
        if not is_recomputing():
            other._follow(self, before)
        return normalized, normalized

    @torch.no_grad()
    def _follow(self, other: "BatchStatistics", before: Sequence[Tensor]) -> None:
        """Average what `other` just did, whose averages were `before`: alike ones stay alike to the bit."""
        kept = 1 - (other.momentum or 0.0)
        for average, previous, now in zip(self._averages(), before, other._averages(), strict=True):
            average.copy_(torch.add(now, average - previous, alpha=kept))
        if self.num_batches_tracked is not None and not self.synchronized:
            self.num_batches_tracked.add_(1)

    def _over_all_processes(self, x: Tensor) -> Tensor:
        normalized, mean, variance, pixels = _Normalized.apply(x, self.eps)  # type: ignore[no-untyped-call]
        if not is_recomputing():
            self._average(mean, variance * pixels / (pixels - 1))
        output: Tensor = normalized
        return output

    @torch.no_grad()
    def _average(self, mean: Tensor, variance: Tensor) -> None:
        for average, value in zip(self._averages(), (mean, variance), strict=True):
            average.lerp_(value, self.momentum or 0.0)

    def _averages(self) -> tuple[Tensor, Tensor]:
        assert self.running_mean is not None
        assert self.running_var is not None
        return self.running_mean, self.running_var


class _Normalized(torch.autograd.Function):
    """x normalized over all processes, in one exchange forward and one backward, which processes wait for.

    Returns also mean and biased variance (C,), and their number of pixels (), none of which carries gradients.
    """

    @staticmethod
    def forward(context: Any, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: ANN401 - torch's
        mean, variance, pixels = _joint_statistics(x)
        y = functional.batch_norm(x, mean, variance, eps=eps)
        # y rather than x: modulation keeps it for its own gradient anyway.
        context.save_for_backward(y, torch.rsqrt(variance + eps), pixels)
        context.mark_non_differentiable(mean, variance, pixels)
        return y, mean, variance, pixels

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        y, scale, pixels = context.saved_tensors
        gradient = gradients[0]
        # What weight and bias would get, had this layer any: the sums over pixels of gradient * y and of gradient.
        zeros, ones = torch.zeros_like(scale), torch.ones_like(scale)
        _, of_y, of_one = torch.ops.aten.native_batch_norm_backward(
            gradient, y, None, zeros, ones, None, None, False, 0.0, [False, True, True]
        )
        sums = torch.stack([of_y, of_one])
        torch.distributed.all_reduce(sums)
        along_y, along_one = sums / pixels
        # scale * (gradient - along_one - y * along_y)
        result = torch.addcmul(_each_pixel(-along_one * scale), gradient, _each_pixel(scale))
        return result.addcmul_(y, _each_pixel(-along_y * scale)), None


def _joint_statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance (C,) over the pixels of all processes, and their number ()."""
    mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)
    own = torch.cat([mean, variance, mean.new_full((1,), x.numel() // x.shape[1])])
    all_own = [torch.empty_like(own) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(all_own, own)
    means, variances, pixels = torch.stack(all_own).split([len(mean), len(mean), 1], dim=1)
    shares = pixels / pixels.sum()
    joint = (shares * means).sum(dim=0)
    # Around the joint mean, rather than from sums of squares, which would cancel.
    return joint, (shares * (variances + (means - joint).square())).sum(dim=0), pixels.sum()


def _each_pixel(values: Tensor) -> Tensor:
    """(C,) as (1, C, 1, 1)."""
    return values.view(1, -1, 1, 1)


def _is_one_of_many_processes() -> bool:
    distributed = torch.distributed
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
