"""Normalization over the batch of all processes, begun and ended apart.

Processes exchange statistics once forward and once backward. What is computed between beginning and end needs no
exchange, so a process that comes late there does not hold up the others.

C channels, any number of pixels.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed
from torch import Tensor
from torch.nn import functional


def begin_joint_normalization(x: Tensor, eps: float) -> Callable[[], tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Send the statistics of x, (B, C, H, W); the function returned waits for those of the others.

    It returns x normalized, and without gradients mean and biased variance (C,), and their number of pixels ().
    """
    exchange = _Exchange()
    begun = _Begun.apply(x, exchange)  # type: ignore[no-untyped-call]

    def end() -> tuple[Tensor, Tensor, Tensor, Tensor]:
        ended: tuple[Tensor, Tensor, Tensor, Tensor] = _Ended.apply(begun, exchange, eps)  # type: ignore[no-untyped-call]
        return ended

    return end


class _Exchange:
    """Values of all processes on their way to each of them: statistics forward, sums over gradients backward."""

    def send_statistics(self, x: Tensor) -> None:
        mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)
        own = torch.cat([mean, variance, mean.new_full((1,), x.numel() // x.shape[1])])
        self._statistics = [torch.empty_like(own) for _ in range(torch.distributed.get_world_size())]
        self._sending = torch.distributed.all_gather(self._statistics, own, async_op=True)

    def joint_statistics(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and biased variance (C,) over the pixels of all processes, and their number ()."""
        self._sending.wait()
        all_own = torch.stack(self._statistics)
        means, variances, pixels = *all_own[:, :-1].chunk(2, dim=1), all_own[:, -1:]
        shares = pixels / pixels.sum()
        joint = (shares * means).sum(dim=0)
        # Around the joint mean, rather than from sums of squares, which would cancel.
        return joint, (shares * (variances + (means - joint).square())).sum(dim=0), pixels.sum()

    def send_sums(self, gradient: Tensor, y: Tensor, scale: Tensor, pixels: Tensor) -> None:
        """Of the gradient of `y`, which is x normalized: (x - mean) * `scale`."""
        # What weight and bias would get, had this layer any: the sums over pixels of gradient * y and of gradient.
        zeros, ones = torch.zeros_like(scale), torch.ones_like(scale)
        _, of_y, of_one = torch.ops.aten.native_batch_norm_backward(
            gradient, y, None, zeros, ones, None, None, False, 0.0, [False, True, True]
        )
        self._sums = torch.stack([of_y, of_one])
        self._normalized = y, scale, pixels
        self._sending = torch.distributed.all_reduce(self._sums, async_op=True)

    def gradient_of_input(self, gradient: Tensor) -> Tensor:
        """Of x, from that of y."""
        self._sending.wait()
        y, scale, pixels = self._normalized
        along_y, along_one = self._sums / pixels
        # scale * (gradient - along_one - y * along_y)
        result = torch.addcmul(_each_pixel(-along_one * scale), gradient, _each_pixel(scale))
        del self._normalized
        return result.addcmul_(y, _each_pixel(-along_y * scale))


class _Begun(torch.autograd.Function):
    """x as it is, with its statistics sent. Backward ends what `_Ended` begins."""

    @staticmethod
    def forward(context: Any, x: Tensor, exchange: _Exchange) -> Tensor:  # noqa: ANN401 - torch's
        context.exchange = exchange
        exchange.send_statistics(x)
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return context.exchange.gradient_of_input(gradients[0]), None


class _Ended(torch.autograd.Function):
    """What `begin_joint_normalization` says of its function."""

    @staticmethod
    def forward(context: Any, x: Tensor, exchange: _Exchange, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: ANN401
        mean, variance, pixels = exchange.joint_statistics()
        y = functional.batch_norm(x, mean, variance, eps=eps)
        # y rather than x: modulation keeps it for its own gradient anyway.
        context.save_for_backward(y, torch.rsqrt(variance + eps), pixels)
        context.mark_non_differentiable(mean, variance, pixels)
        context.exchange = exchange
        return y, mean, variance, pixels

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        context.exchange.send_sums(gradients[0], *context.saved_tensors)
        return gradients[0], None, None


def _each_pixel(values: Tensor) -> Tensor:
    """(C,) as (1, C, 1, 1)."""
    return values.view(1, -1, 1, 1)
