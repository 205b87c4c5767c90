"""Batch normalization without weights of its own, over this process's batch or over that of all processes.

torch's SyncBatchNorm runs on GPUs only and refuses a single process; this one runs anywhere and gives in N processes
what one process gives for the whole batch, gradients included.

B batch, C channels, H W pixels.
"""

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

    def _over_all_processes(self, x: Tensor) -> Tensor:
        # Mean first and then the variance around it: sums of squares would cancel.
        pixels = x.new_full((1,), x.numel() // x.shape[1])
        sums = _sum_over_processes(torch.cat([x.sum(dim=(0, 2, 3)), pixels]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = x - mean.view(1, -1, 1, 1)
        variance = _sum_over_processes(centred.square().sum(dim=(0, 2, 3))) / count
        if not is_recomputing():
            self._average(mean.detach(), (variance * count / (count - 1)).detach())
        normalized: Tensor = centred * torch.rsqrt(variance + self.eps).view(1, -1, 1, 1)
        return normalized

    @torch.no_grad()
    def _average(self, mean: Tensor, variance: Tensor) -> None:
        for average, value in zip(self._averages(), (mean, variance), strict=True):
            average.lerp_(value, self.momentum or 0.0)

    def _averages(self) -> tuple[Tensor, Tensor]:
        assert self.running_mean is not None
        assert self.running_var is not None
        return self.running_mean, self.running_var


class _SumOverProcesses(torch.autograd.Function):
    """Every process reads the sum, so the gradient of what one process adds is the sum of all processes' gradients."""

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:  # noqa: ANN401 - torch's
        summed = values.clone()
        torch.distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        summed = gradients[0].clone()
        torch.distributed.all_reduce(summed)
        return summed


def _sum_over_processes(values: Tensor) -> Tensor:
    summed: Tensor = _SumOverProcesses.apply(values)  # type: ignore[no-untyped-call]
    return summed


def _is_one_of_many_processes() -> bool:
    distributed = torch.distributed
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
