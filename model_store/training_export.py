"""The command `spade export run`: from a training run to models that others load."""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_store.card import LabelClass, ModelCard, Training, WeightsInfo
from model_store.errors import CardError
from model_store.options import models_dir_option
from model_store.registry import CARD_FILE, WEIGHTS_FILE, Registry, default_models_folder, file_sha256
from spade.files import clear_partials, written_whole
from spade.palettes import format_color

if TYPE_CHECKING:
    from spade.generator import SpadeGenerator
    from spade.training.finished import TrainedRun


@click.command("run")
@click.argument("run")
@click.option("--published", type=click.Path(path_type=Path), metavar="DIR", help="Write latest_net_G.pth and so on.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE.safetensors", help="Write the generator."
)
@click.option("--model", "reference", metavar="NAME@VERSION", help="Add a version to the models folder.")
@models_dir_option
@click.option("--title", help="Of the model's card; its name if not given.")
@click.option("--licence", default="unstated", show_default=True, help="Of the weights.")
@click.option("--data", help="What it was trained on and under which terms; the dataset's folder if not given.")
@click.option(
    "--weights",
    type=click.Choice(["average", "last"]),
    help="The average over the steps, or the last ones; the average where the run kept one, if not given.",
)
@click.option("--dataroot", metavar="DIR", help="The dataset's folder, where it is no longer where it was.")
@click.option("--device", metavar="auto|cpu|cuda|mps", default="auto", show_default=True)
def export_run(
    run: str,
    published: Path | None,
    output: Path | None,
    reference: str | None,
    models_dir: Path | None,
    title: str | None,
    licence: str,
    data: str | None,
    weights: str | None,
    dataroot: str | None,
    device: str,
) -> None:
    """Give what a training RUN has learned to other programs.

    RUN is the folder of a run, a folder or s3:// URL of checkpoints, or one checkpoint. The average of the weights
    needs the training samples once more: its batch statistics are estimated from them.

    \b
    Examples:
      spade export run runs/camvid --model camvid@1 --licence "research use" --data "CamVid, 11 classes"
      spade export run runs/coco --published checkpoints/coco --weights last
      spade export run runs/sketches -o sketches.safetensors
    """
    # torch takes a second to load, which --help should not wait for.
    from spade.checkpoint import save_generator
    from spade.generator import SpadeGenerator
    from spade.training.finished import Weights, read_trained_run
    from spade.training.published_export import export_published

    if published is None and output is None and reference is None:
        raise click.UsageError("say what to write: --published DIR, -o FILE.safetensors, or --model NAME@VERSION")
    trained = read_trained_run(run, os.environ)
    default = Weights.AVERAGE if trained.average is not None else Weights.LAST
    generator = trained.generator(Weights(weights or default), device=device, dataroot=dataroot)
    if published is not None:
        for path in export_published(trained, generator, published):
            click.echo(path)
    if output is None and reference is None:
        return
    if not isinstance(generator, SpadeGenerator):
        raise CardError(f"{trained.place}: a pix2pixHD generator; the service knows SPADE's only")
    if output is not None:
        save_generator(output, generator)
        click.echo(output)
    if reference is not None:
        folder = models_dir or default_models_folder()
        click.echo(add_version(trained, generator, folder, reference, title=title, licence=licence, data=data))


def add_version(
    run: "TrainedRun",
    generator: "SpadeGenerator",
    models_dir: Path,
    reference: str,
    *,
    title: str | None,
    licence: str,
    data: str | None,
) -> Path:
    """Writes the version's folder, weights before card: without its card nobody sees it. Returns the folder.

    Raises CardError: where the name or version is not allowed, or is taken. CheckpointError: where the weights cannot
    be written.
    """
    from spade.checkpoint import save_generator

    name, _, version = reference.partition("@")
    folder = models_dir / name / (version or "1")
    if any(card.reference == f"{name}@{folder.name}" for card in Registry(models_dir).cards()):
        raise CardError(f"{name}@{folder.name}: there is such a model already; choose another version")
    dataset = run.config.dataset
    unweighed = ModelCard(
        name=name,
        version=folder.name,
        title=title or name,
        description=f"Trained on {run.position.pictures} pictures, as far as epoch {run.position.epoch}.",
        training=Training.TRAINED,
        licence=licence,
        data=data or f"{dataset.mode} {dataset.root}".strip(),
        generator=generator.config,
        classes=_classes(run),
        weights=WeightsInfo(sha256="0" * 64, bytes=1),  # not known yet; the rest is checked before anything is written
    )
    clear_partials(folder)
    weights = folder / WEIGHTS_FILE
    save_generator(weights, generator)
    info = WeightsInfo(sha256=file_sha256(weights), bytes=weights.stat().st_size)
    with written_whole(folder / CARD_FILE) as partial:
        partial.write_text(dataclasses.replace(unweighed, weights=info).to_json(), encoding="utf-8")
    return folder


def _classes(run: "TrainedRun") -> tuple[LabelClass, ...]:
    from spade.training.samples import colors_of

    dataset = run.config.dataset
    names = dataset.class_names or [f"class {number}" for number in range(dataset.label_nc)]
    colors = colors_of(dataset)
    return tuple(
        LabelClass(id=number, name=name, color=format_color(colors[number])) for number, name in enumerate(names)
    )
