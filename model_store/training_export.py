"""The command `spade export run`: from a training run to models that others load."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_store.card import LabelClass, ModelCard, StylePreset, Training
from model_store.errors import CardError
from model_store.options import models_dir_option
from model_store.registry import default_models_folder
from spade.palettes import format_color

_DIGITS = 5
"""After the point, of a latent's numbers in a card: its spread is about 1."""

if TYPE_CHECKING:
    from spade.generator import SpadeGenerator
    from spade.training.finished import TrainedRun


class NamedPath(click.ParamType[tuple[str, Path]]):
    """NAME=PATH of something that exists."""

    name = "NAME=PATH"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        """As click asks."""
        name, separator, path = value.partition("=")
        if not (name and separator and Path(path).exists()):
            self.fail(f"{value!r}: write NAME=PATH of a picture or a folder of pictures that exists", param, ctx)
        return name, Path(path)


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
    "--style",
    "styles",
    multiple=True,
    type=NamedPath(),
    help="A style of the model: what its encoder reads in a picture, or on average in the pictures of a folder.",
)
@click.option("--half", is_flag=True, help="Keep weights in float16, in half the space.")
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
    styles: tuple[tuple[str, Path], ...],
    half: bool,
    weights: str | None,
    dataroot: str | None,
    device: str,
) -> None:
    """Give what a training RUN has learned to other programs.

    RUN is the folder of a run, a folder or s3:// URL of checkpoints, or one checkpoint; of several it is the one that
    validation found best, best.pt, or else the last. The average of the weights
    needs the training samples once more: its batch statistics are estimated from them.

    \b
    Examples:
      spade export run runs/camvid --model camvid@1 --licence "research use" --data "CamVid, 11 classes"
      spade export run runs/landscape --model landscape@2 --half --style sunset=sunsets/ --style fog=fog.png
      spade export run runs/coco --published checkpoints/coco --weights last
      spade export run runs/sketches -o sketches.safetensors
    """
    # torch takes a second to load, which --help should not wait for.
    from spade.checkpoint import save_network
    from spade.generator import SpadeGenerator
    from spade.training.finished import Weights, read_trained_run
    from spade.training.published_export import export_published

    if published is None and output is None and reference is None:
        raise click.UsageError("say what to write: --published DIR, -o FILE.safetensors, or --model NAME@VERSION")
    folder = models_dir or default_models_folder()
    if reference is not None:
        from model_store.versions import require_new

        require_new(folder, reference)  # before the average's statistics, which take minutes
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
        save_network(output, generator, half=half)
        click.echo(output)
    if reference is not None:
        from model_store.versions import add_version

        card = card_of_run(
            trained, generator, reference, title=title, licence=licence, data=data, styles=_styles(trained, styles)
        )
        click.echo(add_version(folder, card, generator, trained.networks.encoder, half=half))


def card_of_run(
    run: "TrainedRun",
    generator: "SpadeGenerator",
    reference: str,
    *,
    title: str | None = None,
    licence: str = "unstated",
    data: str | None = None,
    styles: tuple[StylePreset, ...] = (),
) -> ModelCard:
    """The card of what a run has learned, `name@version`, for `add_version`. Raises CardError."""
    from model_store.versions import NOT_YET_WRITTEN

    name, _, version = reference.partition("@")
    dataset = run.config.dataset
    return ModelCard(
        name=name,
        version=version or "1",
        title=title or name,
        description=f"Trained on {run.position.pictures} pictures, as far as epoch {run.position.epoch}.",
        training=Training.TRAINED,
        licence=licence,
        data=data or f"{dataset.mode} {dataset.root}".strip(),
        generator=generator.config,
        classes=_classes(run),
        weights=NOT_YET_WRITTEN,
        styles=styles,
    )


def _styles(run: "TrainedRun", given: tuple[tuple[str, Path], ...]) -> tuple[StylePreset, ...]:
    """Presets by what the encoder reads in pictures. Raises CardError: where there is no encoder or no picture."""
    from model_store.styles import latent_of_pictures
    from spade.style_pictures import StylePictureError, read_style_picture

    if not given:
        return ()
    encoder = run.networks.encoder
    if encoder is None:
        raise CardError(f"{run.place}: a run without an encoder (--vae), so it cannot read styles from pictures")
    presets = []
    for name, path in given:
        files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
        try:
            pictures = [read_style_picture(file.read_bytes()) for file in files]
        except (OSError, StylePictureError) as error:
            raise CardError(f"style {name!r}: {path}: {error}") from error
        if not pictures:
            raise CardError(f"style {name!r}: there is no picture in {path}")
        latent = latent_of_pictures(encoder, pictures)
        presets.append(StylePreset(name=name, latent=tuple(round(value, _DIGITS) for value in latent.tolist())))
    return tuple(presets)


def _classes(run: "TrainedRun") -> tuple[LabelClass, ...]:
    from spade.training.samples import colors_of

    dataset = run.config.dataset
    names = dataset.class_names or [f"class {number}" for number in range(dataset.label_nc)]
    colors = colors_of(dataset)
    return tuple(
        LabelClass(id=number, name=name, color=format_color(colors[number])) for number, name in enumerate(names)
    )
