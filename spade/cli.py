"""The commands of `spade` that need weights files only. `model_store.cli` adds those that need the registry of models.

torch takes a second to load, so the commands import what needs it when they run; `--help` stays quick.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spade.benchmarks.commands import bench
from spade.config import Upsampling
from spade.data.commands import dataset
from spade.data.options import LABEL_NC_HELP
from spade.errors import SpadeError
from spade.evaluation.commands import train_segmenter
from spade.options import OneLineErrors, Size, json_option
from spade.training.commands import train

if TYPE_CHECKING:
    from spade.parity.report import ParityReport, TensorCheck


@click.group(cls=OneLineErrors)
@click.version_option(package_name="spade-serving")
def spade() -> None:
    """Pictures from label maps with SPADE: make them, import published weights, check the numbers."""


spade.add_command(dataset)
spade.add_command(bench)
spade.add_command(train)
spade.add_command(train_segmenter)


@spade.command("verify-parity")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--all", "all_tensors", is_flag=True, help="Print the tensors after the iteration one by one.")
@json_option
def verify_parity_command(files: tuple[Path, ...], all_tensors: bool, as_json: bool) -> None:
    """Hold our networks against numbers recorded from the published code.

    Recomputes preprocessing, every network in evaluation mode, and one training iteration: its losses and the whole
    state afterwards. Prints the largest difference of every tensor, absolute for outputs, relative for losses and
    states. Exit status 1 where one exceeds its tolerance, or a file or tensor cannot be checked.

    \b
    Examples:
      spade verify-parity parity/*.safetensors
      spade verify-parity --json parity/coco_like_normal.safetensors
    """
    from spade.parity.verify import verify_parity

    reports: dict[Path, ParityReport | SpadeError] = {}
    for file in files:
        try:
            reports[file] = verify_parity(file)
        except SpadeError as error:
            reports[file] = error
    if as_json:
        files_json = [_report_json(file, report) for file, report in reports.items()]
        click.echo(json.dumps({"passed": _all_passed(reports), "files": files_json}))
    else:
        _print_reports(reports, all_tensors=all_tensors)
    sys.exit(0 if _all_passed(reports) else 1)


def _all_passed(reports: "dict[Path, ParityReport | SpadeError]") -> bool:
    return all(not isinstance(report, SpadeError) and report.passed for report in reports.values())


def _report_json(file: Path, report: "ParityReport | SpadeError") -> dict[str, Any]:
    if isinstance(report, SpadeError):
        return {"file": str(file), "passed": False, "error": str(report), "checks": []}
    return {"file": str(file), "passed": report.passed, "checks": [_check_json(check) for check in report.checks]}


def _check_json(check: "TensorCheck") -> dict[str, Any]:
    comparable = check.difference != float("inf")  # JSON has no infinity
    return dataclasses.asdict(check) | {"passed": check.passed, "difference": check.difference if comparable else None}


def _print_reports(reports: "dict[Path, ParityReport | SpadeError]", *, all_tensors: bool) -> None:
    from spade.parity.report import worst_by_group

    for file, report in reports.items():
        if isinstance(report, SpadeError):
            click.echo(f"Error: {report}", err=True)
            continue
        table = Table(
            "tensor", "largest difference", "tolerance", "result", title=escape(file.name), title_justify="left"
        )
        for check in report.checks if all_tensors else worst_by_group(report.checks):
            result = "[green]ok[/green]" if check.passed else f"[red]too far {escape(check.detail)}[/red]"
            table.add_row(check.tensor, f"{check.difference:.2e}", f"{check.tolerance:.0e}", result)
        Console().print(table)


@spade.command("import-published")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Where the .safetensors goes.")
@click.option(
    "--dataset",
    type=click.Choice(["coco", "ade20k", "cityscapes", "facades"]),
    help="Which published model it is; sets everything below, each of which can still be set otherwise.",
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
def import_published_command(file: Path, output: Path, dataset: str | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401
    """Convert a published generator, latest_net_G.pth, to safetensors with its configuration inside.

    Channels, kernel size, norm, latent and spectral norm are read off the tensors. What they do not tell comes from
    --dataset or the options below; if something does not fit, the first tensor that does not is named. FILE is read
    without running any code that it may hold.

    \b
    Examples:
      spade import-published coco_pretrained/latest_net_G.pth -o coco.safetensors --dataset coco
      spade import-published mine.pth -o mine.safetensors --size 512x512 --label-nc 20 --no-edges --upsampling more
    """
    from spade.checkpoint import save_network
    from spade.published_import import DATASETS, PublishedHints, import_generator

    if given["upsampling"] is not None:
        given["upsampling"] = Upsampling(given["upsampling"])
    known = DATASETS[dataset] if dataset else PublishedHints()
    hints = dataclasses.replace(known, **{name: value for name, value in given.items() if value is not None})
    generator = import_generator(file, hints)
    save_network(output, generator)
    config = generator.config.to_dict()
    if as_json:
        click.echo(json.dumps({"output": str(output), "config": config}))
        return
    click.echo(f"{output}: " + ", ".join(f"{name} {value}" for name, value in config.items()))
