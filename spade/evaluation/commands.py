"""The command `spade train-segmenter`."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from spade.data.options import dataset_options
from spade.evaluation.dataset_options import DatasetChoice
from spade.options import Size, json_option

if TYPE_CHECKING:
    from spade.evaluation.segmenter_run import SegmenterRun


@click.command("train-segmenter")
@dataset_options
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Where the .safetensors goes.")
@click.option(
    "--size", type=Size(), default="256x256", show_default=True, help="Picture size, width x height in pixels."
)
@click.option("--epochs", type=click.IntRange(min=1), default=40, show_default=True, help="At most so many.")
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=4e-3, show_default=True)
@click.option(
    "--patience", type=click.IntRange(min=1), default=15, show_default=True, help="End after so many worse epochs."
)
@click.option("--base-channels", type=click.IntRange(1, 256), default=16, show_default=True, help="Network width.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--workers", type=click.IntRange(min=0), default=0, show_default=True, help="Processes that read ahead.")
@click.option("--device", metavar="auto|cpu|cuda|mps", default="auto", show_default=True, help="Where to compute.")
@click.option("--resume", is_flag=True, help="Go on with a training that was interrupted.")
@json_option
def train_segmenter(
    output: Path,
    size: tuple[int, int],
    base_channels: int,
    device: str,
    resume: bool,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - of the dataset and of the training
) -> None:
    """Train a small segmenter, which says of every pixel what it shows, to score generated pictures by.

    It learns from the training photographs of a dataset and is judged on the validation ones after every epoch; the
    best weights so far are in the file named by -o. A training that was interrupted goes on with --resume from the end
    of its last epoch, and comes to the same result as if it had not been.

    \b
    Examples:
      spade train-segmenter --dataset custom --dataroot camvid --label-nc 11 --dont-care --size 256x192 -o s.safetensors
      spade train-segmenter --dataset coco --dataroot coco_stuff -o coco.safetensors --device cuda --workers 8
    """
    # torch takes a second to load, which --help should not wait for.
    from spade.allocator import keep_freed_memory
    from spade.device import pick_device
    from spade.evaluation.segmenter_run import SegmenterRun
    from spade.evaluation.segmenter_training import SegmenterTraining

    chosen = pick_device(device)
    if chosen.type == "cpu":
        keep_freed_memory()
    dataset = replace(DatasetChoice.taken_from(options).config(*size), instance_edges=False)
    run = SegmenterRun(
        dataset,
        SegmenterTraining(**options),
        output=output,
        base_channels=base_channels,
        device=chosen,
    )
    if resume:
        run.resume()
    seconds = _train(run)
    if as_json:
        click.echo(json.dumps(_result(run, seconds)))
    else:
        _print_result(run, seconds)


def _train(run: "SegmenterRun") -> float:
    """Trains to the end and shows how it goes on stderr; returns the seconds that it took."""
    begin = time.perf_counter()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        epochs = progress.add_task("epochs", total=run.training.epochs, completed=run.progress.epoch)
        steps = progress.add_task("steps")
        for result in run.epochs(lambda done, total: progress.update(steps, completed=done, total=total)):
            progress.update(epochs, completed=result.epoch)
            scores = result.scores
            console.print(
                f"epoch {result.epoch}: loss {result.loss:.3f}, mIoU {scores.mean_iou:.1%}, "
                f"accuracy {scores.pixel_accuracy:.1%}{', best' if result.best else ''}"
            )
    return time.perf_counter() - begin


def _result(run: "SegmenterRun", seconds: float) -> dict[str, Any]:
    scores = run.progress.best_scores
    assert scores is not None
    return {
        "output": str(run.output),
        "epochs": run.progress.epoch,
        "best_epoch": run.progress.best_epoch,
        "seconds": round(seconds, 1),
        "mean_iou": scores.mean_iou,
        "pixel_accuracy": scores.pixel_accuracy,
        "iou": {run.config.name_of(class_id): value for class_id, value in enumerate(scores.iou)},
    }


def _print_result(run: "SegmenterRun", seconds: float) -> None:
    result = _result(run, seconds)
    table = Table("class", "IoU on validation pictures")
    for name, value in result["iou"].items():
        table.add_row(name, "does not occur" if value is None else f"{value:.1%}")
    table.add_row("mean", f"{result['mean_iou']:.1%}", style="bold")
    Console().print(table)
    click.echo(
        f"{run.output}: epoch {result['best_epoch']} of {result['epochs']}, mIoU {result['mean_iou']:.1%}, "
        f"pixel accuracy {result['pixel_accuracy']:.1%}, {seconds:.0f} s"
    )
