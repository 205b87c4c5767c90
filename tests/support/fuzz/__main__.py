"""`python -m support.fuzz`: fuzz an API and print what came of it; exit status 1 where something is wrong."""

import json
import sys

import click
from rich.console import Console
from rich.table import Table

from support.fuzz.answers import CUT
from support.fuzz.run import Report, run


@click.command()
@click.option("--requests", default=10_000, show_default=True, help="About how many malformed requests.")
@click.option("--seed", default=1, show_default=True, help="The same seed sends the same requests.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(requests: int, seed: int, as_json: bool) -> None:
    """Send malformed requests to a real API; none may break it, tell of its insides, or keep others waiting."""
    report = run(requests=requests, seed=seed)
    if as_json:
        print(json.dumps(vars(report), indent=2))  # noqa: T201
    else:
        _show(report)
    sys.exit(bool(report.violations))


def _show(report: Report) -> None:
    console = Console(width=110)
    table = Table("category", "requests", "answers", title=f"{report.requests} malformed requests, seed {report.seed}")
    for category, statuses in report.statuses.items():
        answers = ", ".join(f"{'cut' if status == CUT else status}: {n}" for status, n in sorted(statuses.items()))
        table.add_row(category, str(statuses.total()), answers)
    console.print(table)
    for title, figures in (("others meanwhile", report.canary), ("memory of the API, MiB", report.memory_mib)):
        console.print(
            f"{title}: " + ", ".join(f"{name.replace('_', ' ')} {value:,.0f}" for name, value in figures.items())
        )
    for what, examples in report.violations.items():
        console.print(f"WRONG: {what}", *(f"    {example[:300]}" for example in examples[:2]), sep="\n", markup=False)
    console.print("nothing is wrong" if not report.violations else f"{len(report.violations)} kinds of wrong answers")


if __name__ == "__main__":
    main()
