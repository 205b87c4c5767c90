"""The command `spade synthesize`."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_store.card import Training
from model_store.chosen_style import ChosenStyle
from model_store.options import StyleText, models_dir_option, open_registry
from spade.errors import ConfigError
from spade.options import Size, json_option
from spade.pictures import EXTENSIONS

if TYPE_CHECKING:
    from model_store.offline import Picture


@click.command()
@click.argument("model")
@click.argument("label_maps", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="LABEL_MAP...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the pictures.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="First seed.")
@click.option(
    "--variations",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Pictures of each label map, with seeds in a row.",
)
@click.option(
    "--style",
    type=StyleText(),
    help="Of the model, or a blend of two, like day:sunset:0.3, rather than what a seed gives.",
)
@click.option(
    "--style-image", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Picture whose style to take."
)
@click.option("--size", type=Size(), help="Picture size, width x height in pixels; the model's own if not given.")
@click.option("--palette", "palette_name", metavar="gaugan|model|FILE.csv", help="Colours of RGB label maps.")
@click.option(
    "--instance-map",
    "instance_maps",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Instance map of a label map; give one for each, in the same order.",
)
@click.option("--format", "picture_format", type=click.Choice(list(EXTENSIONS)), default="png", show_default=True)
@click.option("--quality", type=click.IntRange(1, 100), default=90, show_default=True, help="Of jpeg and webp.")
@click.option("--device", metavar="auto|cpu|cuda|mps", default="auto", show_default=True, help="Where to compute.")
@models_dir_option
@json_option
def synthesize(
    model: str,
    label_maps: tuple[Path, ...],
    output: Path,
    seed: int,
    variations: int,
    style: ChosenStyle | None,
    style_image: Path | None,
    size: tuple[int, int] | None,
    palette_name: str | None,
    instance_maps: tuple[Path, ...],
    picture_format: str,
    quality: int,
    device: str,
    models_dir: Path | None,
    as_json: bool,
) -> None:
    """Make pictures from label maps.

    MODEL is a model of the registry, as landscape or landscape@1, or the path of a .safetensors file. LABEL_MAP is a
    PNG whose pixels are class ids, or with --palette whose colours stand for classes; it is resized to the picture's
    size. Pictures are named as their label maps, with _SEED behind when there are --variations.

    \b
    Examples:
      spade synthesize landscape map.png -o out/
      spade synthesize landscape painted.png -o out/ --palette gaugan --variations 4
      spade synthesize landscape map.png -o out/ --style day:sunset:0.3
      spade synthesize coco-stuff labels/*.png -o out/ --format jpeg
      spade synthesize mine.safetensors map.png -o out/ --size 512x512
    """
    # torch takes a second to load, which --help should not wait for.
    from model_store.offline import choose_latent, choose_palette, make_pictures, open_model, plan_pictures

    if style is not None and style_image is not None:
        raise click.UsageError("give --style or --style-image, one of both")
    if variations > 1 and (style is not None or style_image is not None):
        raise click.UsageError("a style leaves nothing to the seeds, so all --variations would be equal: leave one out")
    seeds = range(seed, seed + variations)
    plans = plan_pictures(label_maps, instance_maps, seeds, output, EXTENSIONS[picture_format])
    _require_writable(output)
    registry = open_registry(models_dir)
    opened = open_model(model, registry, device=device)
    if variations > 1 and opened.config.latent_dim is None:
        raise ConfigError(
            f"model {opened.reference} has no latent: its pictures do not vary, so leave out --variations"
        )
    pictures = make_pictures(
        opened,
        plans,
        size=size,
        palette=choose_palette(palette_name, opened, registry),
        latent=choose_latent(opened, registry, style=style, image=style_image),
        picture_format=picture_format,
        quality=quality,
    )
    card = opened.card
    if as_json:
        about = {"model": opened.reference, "training": card and card.training, "sha256": card and card.weights.sha256}
        click.echo(json.dumps(about | {"pictures": [_picture_json(picture) for picture in pictures]}))
        return
    for picture in pictures:
        click.echo(f"{picture.path}  {picture.width}x{picture.height}  seed {picture.seed}  {picture.seconds:.2f} s")
    if card and card.training is Training.UNTRAINED:
        click.echo(f"Note: {card.reference} is untrained: these are patterns, not photographs.")


def _require_writable(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{folder}: no permission to write there; choose another output folder")


def _picture_json(picture: "Picture") -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(picture).items()}
