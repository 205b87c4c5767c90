"""The command `spade train`."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spade.data.options import dataset_options, split_names
from spade.errors import ConfigError, DeviceError
from spade.options import Size
from spade.training.signals import StopWish, stop_on_signals

if TYPE_CHECKING:
    from spade.training.config import TrainingConfig
    from spade.training.listeners import Listener

EXIT_BAD_CONFIGURATION = 64
"""EX_USAGE: what is wrong will be wrong again, so whoever starts runs need not try again."""

_KEYS = {
    "mode": "dataset.mode",
    "dataroot": "dataset.root",
    "label_dir": "dataset.label_dir",
    "image_dir": "dataset.image_dir",
    "instance_dir": "dataset.instance_dir",
    "label_nc": "dataset.label_nc",
    "dont_care": "dataset.dont_care",
    "instances": "dataset.instance_edges",
    "class_names": "dataset.class_names",
    "palette": "dataset.palette",
    "ade20k_ids": "dataset.ade20k_ids",
    "pairing_check": "dataset.pairing_check",
    "limit": "dataset.max_dataset_size",
    "batch_size": "batch_size",
    "accumulation": "accumulation",
    "epochs": "schedule.epochs",
    "decay_epochs": "schedule.decay_epochs",
    "precision": "step.precision",
    "vgg19": "vgg19",
    "start_from": "start.weights",
    "start_from_other_classes": "start.other_classes",
    "device": "device",
    "workers": "workers",
    "seed": "seed",
}
"""Options and the keys of the configuration that they stand for."""


class BadConfiguration(click.ClickException):
    """A line, and the exit code that says that another try will not help."""

    exit_code = EXIT_BAD_CONFIGURATION


class _Train(click.Command):
    """Answers options that cannot be used as it answers configurations that cannot."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise BadConfiguration(error.format_message()) from error


@click.command(cls=_Train)
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration, a TOML file.")
@dataset_options
@click.option(
    "--size",
    type=Size(),
    help="Picture size, width x height in pixels, to which samples are resized, not cropped; the mode's if not given.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for everything that the run writes.")
@click.option(
    "--checkpoints",
    metavar="DIR|s3://BUCKET/PREFIX",
    help="Where checkpoints go; OUTPUT/checkpoints if not given. S3 needs SPADE_S3_ENDPOINT, _ACCESS_KEY, _SECRET_KEY.",
)
@click.option(
    "--resume",
    metavar="auto|never|FILE",
    default="auto",
    show_default=True,
    help="auto goes on from the last checkpoint, if there is one.",
)
@click.option("--start-from", metavar="PATH|MODEL@VERSION", help="Fine-tune these trained weights; see above.")
@click.option(
    "--start-from-other-classes",
    is_flag=True,
    default=None,
    help="The classes are others than those of the weights: layers that read them start fresh.",
)
@click.option("--vae", is_flag=True, help="Train an encoder too, so that pictures have a style.")
@click.option("--batch-size", type=int, help="Pictures of a step, over all processes and micro-batches.")
@click.option("--accumulation", type=int, help="Micro-batches of a process in a step.")
@click.option("--epochs", type=int, help="Epochs at the full learning rate.")
@click.option("--decay-epochs", type=int, help="Epochs after those, over which it falls to zero.")
@click.option("--precision", metavar="float32|bfloat16|float16", help="Of activations.")
@click.option("--vgg19", metavar="FILE", help="torchvision's VGG19 weights, for the perceptual loss.")
@click.option("--device", metavar="auto|cpu|cuda|mps", help="Where to compute.")
@click.option("--workers", type=int, help="Processes that read samples ahead, for each training process.")
@click.option("--seed", type=int, help="Settles weights, order, crops and noise.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any key, as optimizer.learning_rate=1e-4.")
@click.option("--print-config", is_flag=True, help="Print the whole configuration as TOML and train nothing.")
@click.option("--tensorboard", is_flag=True, help="Write event files to OUTPUT/tensorboard.")
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Serve metrics for Prometheus at this port.")
@click.option(
    "--stopped-status",
    type=click.IntRange(0, 255),
    default=0,
    help="Exit status of a run that was told to stop before its end; for whoever starts it again then.",
)
def train(
    config_file: Path | None,
    size: tuple[int, int] | None,
    output: Path | None,
    checkpoints: str | None,
    resume: str,
    vae: bool,
    settings: tuple[str, ...],
    print_config: bool,
    tensorboard: bool,
    metrics_port: int | None,
    stopped_status: int,
    **given: Any,  # noqa: ANN401 - options by name
) -> None:
    """Train a model on a dataset, on one device or, started by torchrun, on many.

    What is not said follows from the dataset's mode, with the published defaults. Options go before the file, --set
    before all. OUTPUT gets index.html, which shows the run; metrics.jsonl; samples; config.toml; and checkpoints, from
    which the same command goes on after a stop, whatever caused it. SIGTERM and Ctrl-C save and end with exit status 0,
    or --stopped-status; a configuration or a dataset that cannot be used ends with 64.

    --start-from takes a published latest_net_G.pth or its folder, a .safetensors file, a model's version, a run's
    folder or one of its checkpoints (the last weights, not the average), and with the generator the discriminator and
    the encoder that lie beside it. config.toml tells the digests. A run that goes on does not read them again.

    A section [validation] writes validation.jsonl, keeps the best state, best.pt, which the run is known for then, and
    with patience ends a run that gets no better.

    \b
    Examples:
      spade train --dataset custom --dataroot camvid --label-nc 11 --dont-care -o runs/camvid
      spade train --dataset custom --dataroot photographs --label-nc 20 --size 512x384 -o runs/photographs
      spade train --dataset coco --dataroot mine --start-from checkpoints/coco_pretrained -o runs/mine
      spade train --config camvid.toml --start-from runs/coco --start-from-other-classes -o runs/finer
      spade train --dataset scenes --vae --epochs 2 --print-config > scenes.toml
      spade train --config scenes.toml -o runs/scenes --tensorboard
      torchrun --nproc-per-node 8 --no-python spade train --config coco.toml -o runs/coco --checkpoints s3://spade/coco
    """
    from spade.data.errors import DatasetError
    from spade.palettes import PaletteError
    from spade.training.config_file import config_toml

    # From here on, lest whoever stops a run that still loads what it needs is told that it failed.
    with stop_on_signals(tell=os.environ.get("RANK", "0") == "0") as stop:
        try:
            config = _configuration(config_file, given, settings, size=size, vae=vae)
            if print_config:
                click.echo(config_toml(config), nl=False)
                return
            if output is None:
                raise ConfigError("say where the results go: -o FOLDER")
            finished = _train(
                config, output, checkpoints, resume, stop, tensorboard=tensorboard, metrics_port=metrics_port
            )
        except (ConfigError, DatasetError, DeviceError, PaletteError) as error:
            raise BadConfiguration(str(error)) from error
    if not finished:
        sys.exit(stopped_status)


def _train(
    config: "TrainingConfig",
    output: Path,
    checkpoints: str | None,
    resume: str,
    stop: StopWish,
    *,
    tensorboard: bool,
    metrics_port: int | None,
) -> bool:
    """Whether it came to the end of the schedule or of patience."""
    # torch takes a second to load, which --help should not wait for.
    from spade.allocator import keep_freed_memory
    from spade.files import clear_partials
    from spade.training.checkpoint_store import S3_SCHEME, open_store
    from spade.training.distributed import joined_processes
    from spade.training.run import Surroundings
    from spade.training.run import train as run
    from spade.training.sole_run import sole_run_in

    with joined_processes(os.environ, config.device) as processes, ExitStack() as stack:
        if processes.device.type == "cpu":
            keep_freed_memory()
        listeners: list[Listener] = []
        if processes.is_first:
            stack.enter_context(sole_run_in(output))
            if checkpoints is not None and not checkpoints.startswith(S3_SCHEME):
                stack.enter_context(sole_run_in(Path(checkpoints)))
            for folder in (output, output / "samples"):
                clear_partials(folder)
            listeners = _listeners(output, tensorboard=tensorboard, metrics_port=metrics_port)
        surroundings = Surroundings(
            folder=output,
            store=open_store(checkpoints or str(output / "checkpoints"), os.environ),
            resume=resume,
            listeners=listeners,
            stop=stop,
            find_version=click.get_current_context().obj,
        )
        return run(config, processes, surroundings)


def _configuration(
    config_file: Path | None,
    options: dict[str, Any],
    settings: tuple[str, ...],
    *,
    size: tuple[int, int] | None,
    vae: bool,
) -> "TrainingConfig":
    from spade.training.presets import complete_config, with_size, with_value
    from spade.training.toml_files import parse_value, read_toml

    given: dict[str, Any] = {} if config_file is None else read_toml(config_file)
    if options["class_names"] is not None:
        options["class_names"] = list(split_names(options["class_names"]))
    for name, value in options.items():
        if value is not None:
            given = with_value(given, _KEYS[name], value)
    if size is not None:
        given = with_size(given, *size)
    if vae:
        given = {"encoder": {}} | given
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}: write KEY=VALUE, as in optimizer.learning_rate=1e-4")
        given = with_value(given, key.strip(), parse_value(text.strip()))
    # What stands in the file cannot be told any more from what was given beside it.
    beside = " and the options" if settings or size or any(value is not None for value in options.values()) else ""
    return complete_config(given, where=f"{config_file}{beside}" if config_file else "configuration")


def _listeners(output: Path, *, tensorboard: bool, metrics_port: int | None) -> "list[Listener]":
    from rich.console import Console

    from spade.training.config_file import ConfigFile
    from spade.training.metrics_log import MetricsLog
    from spade.training.progress import ProgressReport
    from spade.training.report import ReportPage

    # The page reads the metrics file, so it comes after what takes lines out of it.
    listeners: list[Listener] = [ProgressReport(Console(file=sys.stderr)), ConfigFile(output)]
    listeners += [MetricsLog(output), ReportPage(output)]
    if tensorboard:
        from spade.training.tensorboard import TensorBoard

        listeners.append(TensorBoard(output / "tensorboard"))
    if metrics_port is not None:
        from spade.training.prometheus import TrainingMetrics

        listeners.append(TrainingMetrics(metrics_port))
    return listeners
