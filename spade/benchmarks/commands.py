"""The commands of `spade bench`. They import what they need when they run, so that `--help` stays quick."""

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from spade.data.config import Mode, Phase
from spade.options import OneLineErrors, json_option

if TYPE_CHECKING:
    from spade.benchmarks.training import TrainingFigures


@click.group(cls=OneLineErrors)
def bench() -> None:
    """Measure the model on this machine."""


@bench.command("train")
@click.option("--dataset", "mode", type=click.Choice([str(mode) for mode in Mode]), default="scenes", show_default=True)
@click.option("--dataroot", type=click.Path(path_type=Path), default="", help="Folder of the dataset.")
@click.option("--batch-size", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--base-channels", type=click.IntRange(min=1), default=64, show_default=True, help="Of G and D.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Timed iterations of a path.")
@click.option("--threads", type=click.IntRange(min=1), default=os.cpu_count(), help="As many as cores if absent.")
@json_option
def train_command(
    mode: str, dataroot: Path, batch_size: int, base_channels: int, rounds: int, threads: int, as_json: bool
) -> None:
    """Time one whole iteration of training, generator and discriminator, on plain and fast paths in turn.

    \b
    Examples:
      spade bench train
      spade bench train --dataset coco --dataroot data/coco_stuff_sample --json
    """
    from spade.benchmarks.training import measure_training
    from spade.config import GeneratorConfig
    from spade.data.loading import LoadingConfig, training_batches
    from spade.data.opening import open_dataset
    from spade.data.presets import PRESETS
    from spade.data.sampling import EpochSampler

    preset = PRESETS[Mode(mode)](str(dataroot))
    dataset = open_dataset(preset.dataset, Phase.TRAIN)
    sampler = EpochSampler(length=len(dataset), seed=0, epoch=1, shuffle=False)
    batch = next(iter(training_batches(dataset, sampler, LoadingConfig(batch_size=batch_size))))
    height, width = batch.labels.shape[1:]
    config = GeneratorConfig(
        label_nc=preset.dataset.label_nc,
        dont_care=preset.dataset.dont_care,
        instance_edges=preset.dataset.instance_edges,
        height=height,
        width=width,
        base_channels=base_channels,
        upsampling=preset.upsampling,
    )
    figures = measure_training(config, batch, rounds=rounds, threads=threads, discriminator_channels=base_channels)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(figures)))
    else:
        _print(figures)


def _print(figures: "TrainingFigures") -> None:
    table = Table("path", "seconds", "pictures/s", "peak memory", title=f"One iteration, {figures.threads} threads")
    for name, path in figures.paths.items():
        memory = f"{path.peak_memory_bytes / 2**30:.2f} GiB"
        table.add_row(name, f"{path.seconds:.2f}", f"{path.pictures_per_second:.3f}", memory)
    console = Console()
    console.print(table)
    console.print(
        f"fast is {figures.speedup_over_published:.2f} times as fast as published, "
        f"{figures.speedup_over_plain:.2f} times as fast as plain, with {figures.memory_of_fast_over_plain:.2f} times "
        f"plain's memory; losses of fast and plain differ by {figures.largest_loss_difference:.1e} at most"
    )
