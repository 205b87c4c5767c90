"""The commands of `spade bench`. They import what they need when they run, so that `--help` stays quick."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from spade.benchmarks.tables import ENGINE_COLUMNS, TRAINING_COLUMNS, engine_rows, training_rows
from spade.cpus import usable_cpus
from spade.data.config import Mode, Phase
from spade.options import OneLineErrors, json_option

if TYPE_CHECKING:
    from spade.benchmarks.engine import EngineFigures
    from spade.benchmarks.training import TrainingFigures
    from spade.config import GeneratorConfig
    from spade.data.presets import Preset
    from spade.data.samples import TrainingBatch

_PUBLISHED = [str(mode) for mode in (Mode.COCO, Mode.ADE20K, Mode.CITYSCAPES, Mode.FACADES)]


@click.group(cls=OneLineErrors)
def bench() -> None:
    """Measure the model on this machine."""


def _dataset_options(command: Callable[..., None]) -> Callable[..., None]:
    mode = click.option(
        "--dataset", "mode", type=click.Choice([str(mode) for mode in Mode]), default="scenes", show_default=True
    )
    root = click.option("--dataroot", type=click.Path(path_type=Path), default="", help="Folder of the dataset.")
    label_nc = click.option("--label-nc", type=click.IntRange(min=1), help="Number of classes, unknown not counted.")
    dont_care = click.option("--dont-care/--no-dont-care", default=None, help="Whether pixels may be of unknown class.")
    return mode(root(label_nc(dont_care(command))))


def _preset(*, mode: str, dataroot: Path, label_nc: int | None, dont_care: bool | None) -> "Preset":
    """The published defaults of the dataset that the options name, but for what they say otherwise."""
    from spade.data.presets import PRESETS

    preset = PRESETS[Mode(mode)](str(dataroot))
    given: dict[str, Any] = {
        name: value for name, value in (("label_nc", label_nc), ("dont_care", dont_care)) if value is not None
    }
    return dataclasses.replace(preset, dataset=dataclasses.replace(preset.dataset, **given))


def _base_channels_option(default: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--base-channels", type=click.IntRange(min=1), default=default, show_default=True, help="Of G and D."
    )


@bench.command("train")
@_dataset_options
@_base_channels_option(64)
@click.option("--batch-size", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Timed iterations of a path.")
@click.option("--threads", type=click.IntRange(min=1), default=usable_cpus, help="As many as usable CPUs if absent.")
@json_option
def train_command(
    base_channels: int,
    batch_size: int,
    rounds: int,
    threads: int,
    as_json: bool,
    **dataset: Any,  # noqa: ANN401 - as click has it
) -> None:
    """Time one whole iteration of training, generator and discriminator, on plain and fast paths in turn.

    \b
    Examples:
      spade bench train
      spade bench train --dataset coco --dataroot data/coco_stuff_sample --json
    """
    from spade.benchmarks.training import measure_training

    config, ((batch,),) = _generator_and_steps(_preset(**dataset), base_channels, batch_size, count=1)
    figures = measure_training(config, batch, rounds=rounds, threads=threads, discriminator_channels=base_channels)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(figures)))
    else:
        _print_training(figures)


@bench.command("scaling")
@_dataset_options
@_base_channels_option(16)
@click.option("--batch-size", type=click.IntRange(min=1), default=4, show_default=True, help="Of each process.")
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True, help="Timed steps each way.")
@click.option("--processes", type=click.IntRange(min=2), default=2, show_default=True, help="One thread each.")
@json_option
def scaling_command(
    base_channels: int,
    batch_size: int,
    rounds: int,
    processes: int,
    as_json: bool,
    **dataset: Any,  # noqa: ANN401 - as click has it
) -> None:
    """Time training in one process of one thread against several of them on this machine, in turn.

    \b
    Examples:
      spade bench scaling
      spade bench scaling --dataset coco --dataroot data/coco_stuff_sample --json
    """
    from spade.benchmarks.scaling import measure_scaling

    config, steps = _generator_and_steps(
        _preset(**dataset), base_channels, batch_size, count=rounds + 1, processes=processes, shuffle=True
    )
    figures = measure_scaling(config, steps, rounds=rounds, discriminator_channels=base_channels)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(figures)))
    else:
        click.echo(
            f"{figures.pictures_per_second_alone:.2f} pictures/s in one process, "
            f"{figures.pictures_per_second_together:.2f} in {figures.processes}: {figures.speedup:.2f} times as many; "
            f"{figures.speedup_of_machine:.2f} where they have nothing to do with one another"
        )


@bench.command("engine")
@click.option("--dataset", "mode", type=click.Choice(_PUBLISHED), default="coco", show_default=True, help="Its form.")
@click.option("--dataroot", type=click.Path(path_type=Path), help="Measure its validation samples.")
@click.option(
    "--maps",
    type=click.Choice(["painted", "random"]),
    default="painted",
    show_default=True,
    help="Without --dataroot: a dozen large regions, or every pixel any class.",
)
@click.option("--model", metavar="MODEL@VERSION|FILE", help="Measure this model, or .safetensors file, on drawn maps.")
@click.option("--count", type=click.IntRange(min=1), default=8, show_default=True, help="Maps, at most.")
@_base_channels_option(64)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Timed pictures of each kind.")
@click.option("--threads", type=click.IntRange(min=1), default=usable_cpus, help="As many as usable CPUs if absent.")
@json_option
def engine_command(
    mode: str,
    dataroot: Path | None,
    maps: str,
    model: str | None,
    count: int,
    base_channels: int,
    rounds: int,
    threads: int,
    as_json: bool,
) -> None:
    """Time a picture by the plain generator and by the engine, of new maps and of ones that it knows, in turn.

    The generator is untrained, in the form that is published for the dataset, or in that of a model; speed does not
    depend on weights.

    \b
    Examples:
      spade bench engine
      spade bench engine --dataset coco --dataroot data/coco_stuff_sample --json
      spade bench engine --dataset cityscapes --maps painted --count 3
      spade bench engine --model landscape
    """
    from spade.benchmarks.engine import measure_engine
    from spade.benchmarks.maps import MapKind, drawn_maps, maps_of_dataset
    from spade.data.presets import PRESETS

    if model is not None and dataroot is not None:
        raise click.UsageError("--model is measured on drawn maps: leave --dataroot out")
    preset = PRESETS[Mode(mode)](str(dataroot or "."))
    config = _generator_for(preset, base_channels, preset.dataset.size) if model is None else _generator_of(model)
    chosen = drawn_maps(MapKind(maps), config, count) if dataroot is None else maps_of_dataset(preset, count)
    figures = measure_engine(config, chosen, rounds=rounds, threads=threads)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(figures)))
    else:
        _print_engine(figures)


@bench.command("data")
@_dataset_options
@click.option("--batch-size", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--workers", type=click.IntRange(min=0), default=2, show_default=True, help="Processes that read.")
@click.option("--pairs", type=click.IntRange(min=1), default=400, show_default=True, help="Timed, at least.")
@json_option
def data_command(batch_size: int, workers: int, pairs: int, as_json: bool, **dataset: Any) -> None:  # noqa: ANN401 - as click has it
    """Time how fast training's own loader makes pairs of label map and picture, at the size that is trained on.

    \b
    Examples:
      spade bench data
      spade bench data --dataset coco --dataroot data/coco_stuff_sample --json
      spade bench data --dataset custom --dataroot data/camvid --label-nc 11 --dont-care
    """
    from spade.benchmarks.loading import measure_loading

    figures = measure_loading(_preset(**dataset).dataset, batch_size=batch_size, workers=workers, pairs=pairs)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(figures)))
    else:
        click.echo(
            f"{figures.pairs_per_second:.1f} pairs/s of {figures.width}x{figures.height} by {figures.workers} workers; "
            f"{1000 * figures.processor_seconds_per_pair:.1f} ms of processor time a pair"
        )


def _generator_and_steps(
    preset: "Preset", base_channels: int, batch_size: int, *, count: int, processes: int = 1, shuffle: bool = False
) -> "tuple[GeneratorConfig, list[tuple[TrainingBatch, ...]]]":
    """The published generator for the dataset, and its first `count` steps, or all, each a batch of every process.

    Raises DatasetError: where it does not fill one step.
    """
    from spade.data.loading import LoadingConfig, training_batches
    from spade.data.opening import open_dataset
    from spade.data.sampling import EpochSampler

    dataset = open_dataset(preset.dataset, Phase.TRAIN)
    samplers = [
        EpochSampler(
            length=len(dataset),
            seed=0,
            epoch=1,
            rank=rank,
            world_size=processes,
            shuffle=shuffle,
            batch_size=batch_size,
            work=dataset.work(),
        )
        for rank in range(processes)
    ]
    loading = LoadingConfig(batch_size=batch_size)
    steps = list(islice(zip(*(training_batches(dataset, each, loading) for each in samplers), strict=True), count))
    return _generator_for(preset, base_channels, steps[0][0].labels.shape[1:]), steps


def _generator_for(preset: "Preset", base_channels: int, size: Sequence[int] | None) -> "GeneratorConfig":
    """The published generator for a dataset, of `size`, (height, width)."""
    from spade.config import GeneratorConfig

    assert size is not None
    height, width = size
    return GeneratorConfig(
        label_nc=preset.dataset.label_nc,
        dont_care=preset.dataset.dont_care,
        instance_edges=preset.dataset.instance_edges,
        height=height,
        width=width,
        base_channels=base_channels,
        upsampling=preset.upsampling,
    )


def _generator_of(model: str) -> "GeneratorConfig":
    from spade.checkpoint import load_generator

    find_version = click.get_current_context().obj
    return load_generator(Path(model) if model.endswith(".safetensors") else find_version(model)).config


def _print_training(figures: "TrainingFigures") -> None:
    table = Table(*TRAINING_COLUMNS, title=f"One iteration, {figures.threads} threads")
    for row in training_rows(dataclasses.asdict(figures)):
        table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(
        f"fast is {figures.speedup_over_published:.2f} times as fast as published, "
        f"{figures.speedup_over_plain:.2f} times as fast as plain, with {figures.memory_of_fast_over_plain:.2f} times "
        f"plain's memory; losses of fast and plain differ by {figures.largest_loss_difference:.1e} at most"
    )


def _print_engine(figures: "EngineFigures") -> None:
    title = f"A picture of {figures.width}x{figures.height}, {figures.threads} threads"
    table = Table(*ENGINE_COLUMNS, title=title)
    for row in engine_rows(dataclasses.asdict(figures)):
        table.add_row(*row)
    console = Console()
    console.print(table)
    processes = figures.processes
    console.print(
        f"median {figures.cold_speedup:.2f} times as fast on a new map, {figures.variation_speedup:.2f} times for a "
        f"variation, which reaches {figures.trunk_limit_share:.2f} of the limit of the trunk's "
        f"{figures.trunk_flops:.3g} operations at {figures.matrix_peak_flops:.3g} a second; peak memory "
        f"{processes.engine_bytes / processes.plain_bytes:.2f} times plain's, "
        f"{processes.engine_bytes_random / processes.plain_bytes_random:.2f} times where no window repeats; "
        f"first picture {processes.first_picture_seconds - processes.import_seconds:.2f} s after torch is imported"
    )
