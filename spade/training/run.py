"""From a configuration to everything that a run consists of."""

from dataclasses import replace

from spade.training.objective import LossConfig


def scaled_to_global_batch(losses: LossConfig, parts: int) -> LossConfig:
    """The losses of one of `parts` that a step's batch is divided into, over which gradients are averaged.

    All terms are means over the batch but that of KL, which is a sum; so that the parts together weigh it as one batch
    would, each has to weigh it `parts` times.
    """
    return replace(losses, kl=losses.kl * parts)
