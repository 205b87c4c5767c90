"""How training scales: several processes with one thread each against one process with one thread.

Every process has a batch of its own, as processes on GPUs would, and each round has other ones; the single process
trains on all of a round's, one after another, since pictures with more borders between classes take longer. Steps of
one alone, of all side by side without a word between them, and of all together take turns, so that a machine that gets
slower meanwhile is as slow for each. What the machine itself takes shows in the second: memory and caches are shared,
and a processor may be slower with all of its cores busy.
"""

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import NamedTuple

import torch
import torch.distributed
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from spade.allocator import keep_freed_memory
from spade.benchmarks.iteration import training_step
from spade.config import GeneratorConfig, Norm
from spade.data.samples import TrainingBatch
from spade.training.distributed import joined_processes
from spade.training.step import StepConfig, TrainingStep


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingFigures:
    """Medians over the rounds; seconds of a step are averaged over its batches before."""

    processes: int
    pictures_per_process: int
    seconds_alone: float
    seconds_side_by_side: float
    """Of processes that train at the same time, but each for itself."""
    seconds_together: float
    pictures_per_second_alone: float
    pictures_per_second_together: float
    speedup: float
    """Pictures a second together over those alone; as many as there are processes would be perfect."""
    speedup_of_machine: float
    """The same side by side: what this machine allows."""


def measure_scaling(
    config: GeneratorConfig, steps: Sequence[Sequence[TrainingBatch]], *, rounds: int, discriminator_channels: int
) -> ScalingFigures:
    """Train in as many processes as a step has batches, which must be of one size, `rounds` steps each way.

    `steps` are taken in turn, and again from the first one where there are more rounds.
    """
    processes, pictures = len(steps[0]), len(steps[0][0])
    launch = elastic_launch(
        LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            max_restarts=0,
            run_id="scaling",
        ),
        _process,
    )
    rounds_by_rank = launch(config, list(steps), rounds, discriminator_channels)
    alone = [seconds.alone for seconds in rounds_by_rank[0]]
    together = [seconds.together for seconds in rounds_by_rank[0]]
    side_by_side = [
        statistics.fmean(seconds.side_by_side for seconds in of_round)
        for of_round in zip(*rounds_by_rank.values(), strict=True)
    ]
    return ScalingFigures(
        processes=processes,
        pictures_per_process=pictures,
        seconds_alone=statistics.median(alone),
        seconds_side_by_side=statistics.median(side_by_side),
        seconds_together=statistics.median(together),
        pictures_per_second_alone=pictures / statistics.median(alone),
        pictures_per_second_together=processes * pictures / statistics.median(together),
        speedup=processes * statistics.median(alone) / statistics.median(together),
        speedup_of_machine=processes * statistics.median(alone) / statistics.median(side_by_side),
    )


class _Seconds(NamedTuple):
    """Of a round's steps."""

    alone: float
    side_by_side: float
    together: float


def _process(
    config: GeneratorConfig, steps: Sequence[Sequence[TrainingBatch]], rounds: int, discriminator_channels: int
) -> list[_Seconds]:
    """What each process does, round by round; only the first one trains alone."""
    torch.set_num_threads(1)
    keep_freed_memory()
    with joined_processes(os.environ, "cpu") as processes:
        together = training_step(config, discriminator_channels, StepConfig(), wrap=processes.wrap)
        # As one process does without others: there, synchronized statistics are its own.
        apart = training_step(replace(config, norm=Norm.BATCH), discriminator_channels, StepConfig())
        times = []
        for batches in islice(cycle(steps), rounds + 1):
            batch = batches[processes.rank]
            alone = statistics.fmean(_timed(apart, each) for each in batches) if processes.is_first else 0.0
            torch.distributed.barrier()
            side_by_side = _timed(apart, batch)
            torch.distributed.barrier()
            times.append(_Seconds(alone, side_by_side, _timed(together, batch)))
    return times[1:]  # the first round warms up


def _timed(step: TrainingStep, batch: TrainingBatch) -> float:
    started = time.perf_counter()
    step.run([batch])
    return time.perf_counter() - started
