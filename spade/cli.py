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
from spade.data.commands import dataset
from spade.errors import SpadeError
from spade.evaluation.commands import train_segmenter
from spade.options import OneLineErrors, json_option
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
