"""The command `spade export onnx`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_store.card import ModelCard
from model_store.options import models_dir_option, open_registry
from model_store.registry import file_sha256
from spade.errors import ConfigError
from spade.options import Size, json_option

if TYPE_CHECKING:
    from spade.onnx_export.file import OnnxFile

ENDING = ".onnx"


@click.command("onnx")
@click.argument("model")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE.onnx")
@click.option(
    "--size", type=Size(), help="The only picture size, width x height; any that the model makes if not given."
)
@click.option(
    "--opset",
    type=click.IntRange(13, 24),
    default=17,
    show_default=True,
    help="Version of the ONNX operators; every runtime that knows it can run the file.",
)
@models_dir_option
@json_option
def export_onnx_command(
    model: str, output: Path, size: tuple[int, int] | None, opset: int, models_dir: Path | None, as_json: bool
) -> None:
    """Write a MODEL as an ONNX file that takes label maps.

    MODEL is a model of the registry, as landscape or landscape@1, or the path of a .safetensors file. The inputs are
    label_map and, where the model reads borders between instances, instance_map, int64 (batch, height, width); where
    it has a latent, z, float32 (batch, latent). The output is pictures, float32 (batch, 3, height, width) from -1
    to 1. Height and width are any multiples of the metadata's size_multiple, but fixed where the model has a latent.
    An id that the model does not have counts as no class at all; nothing in the file refuses it.

    \b
    Examples:
      spade export onnx landscape -o landscape.onnx
      spade export onnx mine.safetensors -o mine.onnx --size 512x256 --opset 20
    """
    if output.suffix != ENDING:
        raise ConfigError(f"{output}: not the name of an ONNX file, which ends in {ENDING}")
    # torch takes a second to load, which --help should not wait for.
    try:
        from spade.onnx_export.file import export_onnx
    except ModuleNotFoundError as error:
        raise ConfigError(f"ONNX files need the package {error.name}: install the extra [onnx]") from error
    from model_store.offline import open_generator

    card, generator = open_generator(model, open_registry(models_dir))
    about = _about_card(card) if card else {"model": Path(model).name, "weights_sha256": file_sha256(Path(model))}
    written = export_onnx(generator, output, opset=opset, size=size, about=about)
    if as_json:
        click.echo(json.dumps(asdict(written), default=str))
    else:
        _print(written)


def _about_card(card: ModelCard) -> dict[str, str]:
    """`class_names` is a JSON list with the name of class i at place i."""
    return {
        "model": card.reference,
        "weights_sha256": card.weights.sha256,
        "class_names": json.dumps([label_class.name for label_class in card.classes]),
        "training": card.training,
        "model_license": card.licence,  # as the ONNX specification spells it
    }


def _print(written: "OnnxFile") -> None:
    click.echo(f"{written.path}  {written.bytes / 1e6:.1f} MB  opset {written.opset}")
    for name, form in written.inputs.items():
        click.echo(f"  takes {name}: {form}")
    for name, form in written.outputs.items():
        click.echo(f"  makes {name}: {form}")
