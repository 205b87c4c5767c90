"""The command `spade import-published`: from the files of published training to models of ours."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_store.options import models_dir_option
from model_store.registry import default_models_folder
from spade.config import Upsampling
from spade.data.options import LABEL_NC_HELP
from spade.errors import CheckpointError
from spade.options import Size, json_option

if TYPE_CHECKING:
    from model_store.card import ModelCard
    from spade.generator import SpadeGenerator
    from spade.published_import import PublishedHints

_GENERATOR_FILE = "latest_net_G.pth"
_ENCODER_FILE = "latest_net_E.pth"
_FLAG = 150
"""The raw id of the last class of ADE20K."""


@click.command("import-published")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE.safetensors", help="Write the generator."
)
@click.option("--model", "reference", metavar="NAME@VERSION", help="Add a version to the models folder.")
@models_dir_option
@click.option("--title", help="Of the model's card; its name if not given.")
@click.option("--licence", default="unstated", show_default=True, help="Of the weights, which their owner states.")
@click.option("--half", is_flag=True, help="Keep weights in float16, in half the space.")
@click.option(
    "--dataset",
    type=click.Choice(["coco", "ade20k", "cityscapes", "facades"]),
    help="Which published model it is; sets its classes and everything below, which can still be set otherwise.",
)
@click.option("--size", type=Size(), help="The model's own picture size, width x height in pixels.")
@click.option("--label-nc", type=click.IntRange(min=0), help=LABEL_NC_HELP)
@click.option("--dont-care/--no-dont-care", default=None, help="Whether unknown pixels have a channel of their own.")
@click.option("--edges/--no-edges", "instance_edges", default=None, help="Whether it reads borders between instances.")
@click.option(
    "--upsampling",
    type=click.Choice([str(choice) for choice in Upsampling]),
    help="How often it doubles its size: 5, 6 or 7 times. The tensors do not tell normal from more.",
)
@json_option
def import_published(
    source: Path,
    output: Path | None,
    reference: str | None,
    models_dir: Path | None,
    title: str | None,
    licence: str,
    half: bool,
    dataset: str | None,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - as click has it
) -> None:
    """Convert what published training has made to a file of ours, or to a model that the service serves.

    SOURCE is a generator, latest_net_G.pth, or the folder of it, with opt.txt and the encoder, latest_net_E.pth, where
    there are such. Channels, kernel size, norm, latent and spectral norm are read off the tensors. What they do not
    tell comes from the folder's opt.txt or, in its place, from --dataset; the options below override either. If
    something does not fit, the first tensor that does not is named. Files are read without running any code that they
    may hold.

    \b
    Examples:
      spade import-published coco_pretrained --model coco-photos@1 --licence "CC BY-NC-SA 4.0"
      spade import-published coco_pretrained/latest_net_G.pth -o coco.safetensors --dataset coco
      spade import-published mine.pth -o mine.safetensors --size 512x512 --label-nc 20 --no-edges --upsampling more
    """
    # torch takes a second to load, which --help should not wait for.
    from spade.checkpoint import save_network
    from spade.published_import import import_encoder, import_generator

    if output is None and reference is None:
        raise click.UsageError("say what to write: -o FILE.safetensors, or --model NAME@VERSION")
    file = source / _GENERATOR_FILE if source.is_dir() else source
    hints, dataset = _hints(source, dataset, given)
    generator = import_generator(file, hints)
    answer: dict[str, Any] = {"config": generator.config.to_dict()}
    if output is not None:
        save_network(output, generator, half=half)
        answer["output"] = str(output)
    if reference is not None:
        from model_store.versions import add_version

        encoder_file = source / _ENCODER_FILE
        encoder = import_encoder(encoder_file) if source.is_dir() and encoder_file.is_file() else None
        card = _card(generator, reference, file=file, dataset=dataset, title=title, licence=licence)
        folder = add_version(models_dir or default_models_folder(), card, generator, encoder, half=half)
        answer["model"] = str(folder)
    if as_json:
        click.echo(json.dumps(answer))
        return
    written = ", ".join(answer[kind] for kind in ("output", "model") if kind in answer)
    click.echo(f"{written}: " + ", ".join(f"{name} {value}" for name, value in answer["config"].items()))


def _hints(source: Path, dataset: str | None, given: dict[str, Any]) -> "tuple[PublishedHints, str | None]":
    """What the tensors cannot tell, and the dataset: by options, or else as opt.txt of the folder has them.

    Raises CheckpointError: where opt.txt cannot be used.
    """
    from spade.published_import import DATASETS, PublishedHints
    from spade.published_options import OPTIONS_FILE, config_from_published_options, read_published_options

    known = DATASETS[dataset] if dataset else PublishedHints()
    options_file = source / OPTIONS_FILE
    if dataset is None and options_file.is_file():
        options = read_published_options(options_file)
        dataset = options.get("dataset_mode")
        if not isinstance(dataset, str | None):
            raise CheckpointError(
                f"{options_file}: option 'dataset_mode' is {dataset!r}; it must be a word, as in coco"
            )
        known = PublishedHints.of(config_from_published_options(options, where=str(options_file)))
    if given["upsampling"] is not None:
        given["upsampling"] = Upsampling(given["upsampling"])
    return dataclasses.replace(known, **{name: value for name, value in given.items() if value is not None}), dataset


def _card(
    generator: "SpadeGenerator", reference: str, *, file: Path, dataset: str | None, title: str | None, licence: str
) -> "ModelCard":
    from model_store.card import ModelCard, Training
    from model_store.published_classes import published_classes
    from model_store.versions import NOT_YET_WRITTEN

    name, _, version = reference.partition("@")
    description = f"Imported from {file.name} of {file.resolve().parent.name}."
    if dataset == "ade20k" and generator.config.unknown_id == _FLAG:  # trained on raw ids, where 0 is none
        description += " Its last class, flag, has the id 150, which is called unknown."
    return ModelCard(
        name=name,
        version=version or "1",
        title=title or name,
        description=description,
        training=Training.TRAINED,
        licence=licence,
        data=dataset or "unstated",
        generator=generator.config,
        classes=published_classes(dataset, generator.config.label_nc),
        weights=NOT_YET_WRITTEN,
    )
