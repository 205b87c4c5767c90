"""The command `spade test`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import track

from model_store.card import Training
from model_store.options import models_dir_option, open_registry
from spade.data.options import PHASES, dataset_options
from spade.evaluation.dataset_options import DatasetChoice
from spade.options import Size, json_option

if TYPE_CHECKING:
    from model_store.offline import OfflineModel
    from spade.evaluation.reference import DatasetReference
    from spade.evaluation.results import ResultsAbout


@click.command("test")
@click.argument("model")
@dataset_options
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--phase", type=click.Choice(PHASES), default="val", show_default=True, help="Part of the dataset.")
@click.option("--size", type=Size(), help="Picture size, width x height in pixels; the model's own if not given.")
@click.option(
    "--photographs/--no-photographs", default=None, help="Whether to show them; if not given, where there are any."
)
@click.option("--seed", type=click.IntRange(0, 2**62), default=0, show_default=True, help="Of the first picture.")
@click.option("--batch-size", type=click.IntRange(min=1), default=4, show_default=True, help="Pictures at a time.")
@click.option("--workers", type=click.IntRange(min=0), default=0, show_default=True, help="Processes that read ahead.")
@click.option("--device", metavar="auto|cpu|cuda|mps", default="auto", show_default=True, help="Where to compute.")
@models_dir_option
@json_option
def test_model(
    model: str,
    output: Path,
    phase: str,
    size: tuple[int, int] | None,
    photographs: bool | None,
    seed: int,
    batch_size: int,
    workers: int,
    device: str,
    models_dir: Path | None,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - of the dataset
) -> None:
    """Make the pictures of a whole dataset, and a page to look at them.

    MODEL is a model of the registry, as landscape or landscape@1, or the path of a .safetensors file. Label maps are
    brought to the model's size. The folder of results holds index.html, results.json with seeds and digests, and
    images/input_label, images/synthesized_image and, where the dataset has photographs, images/real_image.

    \b
    Examples:
      spade test mine.safetensors --dataset custom --dataroot camvid -o results/camvid
      spade test coco-stuff --dataset coco --dataroot coco_stuff -o results/coco --limit 100
      spade test mine.safetensors --dataset custom --label-dir maps -o results/maps
    """
    # torch takes a second to load, which --help should not wait for.
    from model_store.offline import open_model
    from spade.data.config import Phase
    from spade.data.loading import LoadingConfig
    from spade.evaluation.reference import DatasetReference
    from spade.evaluation.results import PAGE, write_page_and_list, write_pictures
    from spade.evaluation.synthesized import synthesized

    choice = DatasetChoice.taken_from(options)
    opened = open_model(model, open_registry(models_dir), device=device)
    height, width = size or (opened.config.height, opened.config.width)
    dataset = choice.config_for(
        opened.config, height, width, reference=opened.reference, class_names=opened.class_names
    )
    reference = DatasetReference(dataset, Phase(phase), photographs=photographs)
    about = _about(opened, reference, width, height)

    loading = LoadingConfig(batch_size=batch_size, workers=workers)
    made = synthesized(opened.synthesizer, reference.label_batches(loading), seed=seed)
    pictures = write_pictures(output, made, about)
    console = Console(stderr=True)
    written = list(track(pictures, "pictures", total=len(reference.names), console=console, transient=True))
    write_page_and_list(output, written, about)
    if as_json:
        result = {"page": str(output / PAGE), "pictures": len(written), "photographs": reference.has_photographs}
        click.echo(json.dumps(result))
        return
    click.echo(f"{output / PAGE}: {len(written)} picture{'' if len(written) == 1 else 's'} of {width}x{height}")
    if not reference.has_photographs and photographs is None:
        click.echo("Note: the dataset has no photographs to show beside them.")
    if opened.card and opened.card.training is Training.UNTRAINED:
        click.echo(f"Note: {opened.reference} is untrained: these are patterns, not photographs.")


def _about(opened: "OfflineModel", reference: "DatasetReference", width: int, height: int) -> "ResultsAbout":
    from model_store.described import class_legend, weights_digest
    from spade.evaluation.results import ResultsAbout

    described = reference.described()
    return ResultsAbout(
        model=opened.reference,
        training=str(opened.card.training) if opened.card else None,
        weights_sha256=weights_digest(opened),
        dataset=described.source,
        split=described.split or "",
        width=width,
        height=height,
        varies=opened.config.latent_dim is not None,
        classes=class_legend(opened, reference.config.class_names),
    )
