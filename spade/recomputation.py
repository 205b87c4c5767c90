"""Activation checkpointing for networks that count their passes.

Recomputing a block in the backward pass must not count as another pass: batch statistics would be averaged twice, and
spectral norm would iterate and compute another weight than the first time. Modules that count ask `is_recomputing`.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from torch import Tensor
from torch.utils.checkpoint import checkpoint

_recomputing = ContextVar("recomputing", default=False)


def is_recomputing() -> bool:
    """Whether the current forward pass repeats one that was counted."""
    return _recomputing.get()


def recomputed(function: Callable[..., Tensor], *arguments: Any) -> Tensor:  # noqa: ANN401 - whatever it takes
    """`function(*arguments)` without keeping its intermediate tensors: the backward pass computes them again."""
    output: Tensor = checkpoint(function, *arguments, use_reentrant=False, context_fn=_contexts)
    return output


def _contexts() -> tuple[contextlib.AbstractContextManager[None], contextlib.AbstractContextManager[None]]:
    return contextlib.nullcontext(), _marked()


@contextlib.contextmanager
def _marked() -> Iterator[None]:
    token = _recomputing.set(True)
    try:
        yield
    finally:
        _recomputing.reset(token)
