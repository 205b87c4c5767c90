"""The commands of `spade dataset`. They import what they need when they run, so that `--help` stays quick."""

import json
import os
import sys
import time
from pathlib import Path

import click

from spade.data.config import Mode
from spade.data.options import PALETTE_HELP
from spade.data.scenes.variant import Variant
from spade.options import OneLineErrors, Size, json_option

FILE_MODES = [str(mode) for mode in Mode if mode is not Mode.SCENES]

workers_option = click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=os.cpu_count() or 1,
    help="Processes; as many as cores if absent.",
)


@click.group(cls=OneLineErrors)
def dataset() -> None:
    """Look into data, draw landscapes to train with, prepare instance maps."""


@dataset.command("inspect")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--mode", type=click.Choice(FILE_MODES), help="How the files lie; guessed from the folders if absent.")
@click.option("--palette", metavar="FILE.csv", help=PALETTE_HELP)
@click.option("--histogram", type=click.Path(path_type=Path), help="Draw how frequent each class is to this PNG file.")
@click.option("--max", "most", type=click.IntRange(min=1), help="Read the first so many samples of each phase only.")
@workers_option
@json_option
def inspect_command(
    folder: Path,
    mode: str | None,
    palette: str | None,
    histogram: Path | None,
    most: int | None,
    workers: int,
    as_json: bool,
) -> None:
    """Say what the data in DIR are: samples, sizes, classes, broken pairs, unreadable files, and which label_nc fits.

    Every file is read whole. Exit status 1 where something is broken, with every such file listed. A palette may name
    the classes that DIR/classes.csv names.

    \b
    Examples:
      spade dataset inspect data/camvid
      spade dataset inspect data/cityscapes --mode cityscapes --histogram classes.png
      spade dataset inspect data/painted --palette colours.csv
      spade dataset inspect data/mine --json | jq .proposal
    """
    from spade.data.class_files import read_class_names
    from spade.data.inspection import inspect_dataset
    from spade.data.reading import numbered_classes, read_palette
    from spade.data.reports import inspection_json, print_inspection, save_class_histogram
    from spade.label_images import UNKNOWN_IN_FILES

    names = read_class_names(folder)
    ids = {name: number for number, name in names.items()} or numbered_classes(UNKNOWN_IN_FILES + 1)
    colors = None if palette is None else read_palette(palette, ids)
    wanted = Mode(mode) if mode else None
    inspection = inspect_dataset(folder, wanted, names=names, palette=colors, workers=workers, most=most)
    if histogram is not None:
        save_class_histogram(histogram, inspection, names, title=folder.name or str(folder))
    if as_json:
        click.echo(json.dumps({"folder": str(folder)} | inspection_json(inspection, names)))
    else:
        print_inspection(folder, inspection, names)
    sys.exit(0 if inspection.sound else 1)


@dataset.command("scenes")
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path, file_okay=False))
@click.option("--count", type=click.IntRange(1, 10_000_000), required=True, help="Scenes to train with.")
@click.option("--val-count", type=click.IntRange(min=0), help="Scenes to validate with; a tenth of COUNT if absent.")
@click.option("--seed", type=click.IntRange(0, 2**39), default=0, show_default=True, help="Seed of the first scene.")
@click.option("--size", type=Size(), default="256x256", show_default=True, help="Width x height in pixels.")
@click.option(
    "--variant", type=click.Choice([str(one) for one in Variant]), help="Time of day and weather; all if absent."
)
@click.option("--format", "picture_format", type=click.Choice(["jpeg", "png"]), default="jpeg", show_default=True)
@click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of jpeg.")
@workers_option
@json_option
def scenes_command(
    output: Path,
    count: int,
    val_count: int | None,
    seed: int,
    size: tuple[int, int],
    variant: str | None,
    picture_format: str,
    quality: int,
    workers: int,
    as_json: bool,
) -> None:
    """Draw landscapes with their label maps to OUT, as mode custom reads them.

    A scene depends on its seed and size only; scenes have the seeds SEED, SEED+1 and so on, and those to validate with
    have others. OUT gets train_img, train_label, val_img, val_label, and classes.csv, the names and colours of ids. It
    is to be empty, or to hold what this command has drawn there with the same options.

    \b
    Examples:
      spade dataset scenes data/scenes --count 2000
      spade dataset scenes data/winter --count 500 --variant winter --size 512x256 --seed 10000
    """
    from spade.data.scenes.classes import SCENE_CLASSES
    from spade.data.scenes.dataset import SceneSettings
    from spade.data.scenes.writing import Options, claim_folder, plan_files, write_scenes

    settings = SceneSettings(
        height=size[0],
        width=size[1],
        class_ids={name: number for number, name in enumerate(SCENE_CLASSES)},
        scenes=count,
        first_seed=seed,
        variant=Variant(variant) if variant else None,
    )
    validation = count // 10 if val_count is None else val_count
    files = plan_files(output, settings, validation=validation, format=picture_format, quality=quality)
    options: Options = {
        **{"--count": count, "--val-count": validation, "--seed": seed, "--size": f"{size[1]}x{size[0]}"},
        **{"--variant": variant, "--format": picture_format, "--quality": quality},
    }
    claim_folder(output, options)
    began = time.perf_counter()
    written = sum(1 for _ in write_scenes(files, SCENE_CLASSES, workers=workers))
    seconds = time.perf_counter() - began
    if as_json:
        about = {
            "folder": str(output),
            "train": count,
            "val": validation,
            "label_nc": len(SCENE_CLASSES),
            "seconds": seconds,
        }
        click.echo(json.dumps(about | {"pairs_per_second": written / seconds}))
        return
    click.echo(f"{output}: {count} scenes to train with, {validation} to validate with, label_nc {len(SCENE_CLASSES)}")
    click.echo(f"{seconds:.1f} s, {written / seconds:.0f} pairs a second with {workers} processes")


@dataset.command("coco-instances")
@click.argument("annotations", metavar="ANNOTATIONS.json", type=click.Path(path_type=Path))
@click.argument("maps", metavar="STUFF_THING_DIR", type=click.Path(path_type=Path))
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@json_option
def coco_instances_command(annotations: Path, maps: Path, output: Path, as_json: bool) -> None:
    """Make instance maps of COCO: the stuff-thing maps, with each annotated polygon upon them as a number of its own.

    ANNOTATIONS.json is COCO's instances_train2017.json or the like, STUFF_THING_DIR holds the label maps, and OUT gets
    a map for each of them that is annotated. Needs the package pycocotools.

    \b
    Example:
      spade dataset coco-instances instances_val2017.json data/coco/val_label data/coco/val_inst
    """
    from spade.data.coco_instances import write_instance_maps

    written = sum(1 for _ in write_instance_maps(annotations, maps, output))
    if as_json:
        click.echo(json.dumps({"folder": str(output), "maps": written}))
    else:
        click.echo(f"{output}: {written} instance maps")
