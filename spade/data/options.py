"""The options of a command line that say which dataset is meant."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from spade.data.config import Ade20kIds, Mode, Phase

Command = TypeVar("Command", bound=Callable[..., Any])

PHASES = tuple(str(phase) for phase in Phase)
LABEL_NC_HELP = "Number of classes, unknown not counted; 0 where pictures stand in the label maps' place."
PALETTE_HELP = "What colours of label images mean; columns color (#rrggbb) or r, g, b, and id or name."
OPTIONS = (
    click.option("--dataset", "mode", type=click.Choice([str(mode) for mode in Mode]), help="How its files lie."),
    click.option("--dataroot", metavar="DIR", help="The folder that holds the dataset."),
    click.option("--label-dir", metavar="DIR", help="Of custom: a folder of label maps that is not under --dataroot."),
    click.option("--image-dir", metavar="DIR", help="Of custom: the folder of photographs for --label-dir."),
    click.option("--instance-dir", metavar="DIR", help="Of custom: the folder of instance maps for --label-dir."),
    click.option("--label-nc", type=click.IntRange(min=0), help=LABEL_NC_HELP),
    click.option("--dont-care/--no-dont-care", default=None, help="Whether pixels may be of unknown class."),
    click.option("--instances/--no-instances", default=None, help="Whether to read instance maps."),
    click.option("--class-names", metavar="NAME,NAME,...", help="Names of the classes in the order of their ids."),
    click.option("--palette", metavar="FILE.csv", help=PALETTE_HELP),
    click.option(
        "--ade20k-ids", type=click.Choice([str(ids) for ids in Ade20kIds]), help="How ade20k's ids are read: raw."
    ),
    click.option("--pairing-check/--no-pairing-check", default=None, help="Whether files must have equal names."),
    click.option("--limit", type=click.IntRange(min=1), help="Use the first so many samples only."),
)


def dataset_options(command: Command) -> Command:
    """Adds the options, which the command takes as keywords, None for those that are not given."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def split_names(text: str) -> tuple[str, ...]:
    """What `--class-names` lists."""
    return tuple(name.strip() for name in text.split(","))
