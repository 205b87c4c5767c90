"""`spade-serve audit`: whether Redis and the object store agree."""

from pathlib import Path

import click

from deploy.errors import DeployError
from deploy.options import print_json, print_table, state_option
from deploy.store_access import access_stores
from spade.options import json_option
from workers.audit import Report


class AuditError(DeployError):
    """Something is wrong, and was not mended."""


@click.command()
@click.option("--fix", is_flag=True, help="Mend what can be, and remove what was left behind.")
@click.option("--digests", is_flag=True, help="Read every picture and compare its digest, too.")
@click.option(
    "--safe-age",
    type=click.FloatRange(0),
    default=3600.0,
    show_default=True,
    help="Seconds after which an object that nobody knows counts as left behind.",
)
@state_option
@json_option
def audit(fix: bool, digests: bool, safe_age: float, state: Path, as_json: bool) -> None:
    """Check that every item is accounted for, every picture is there once, and nothing was left behind.

    It may run while the service works. Exit status 1: something is wrong and was not mended. Redis and the object store
    are those of the SPADE_ variables, or of the stack of --state.

    \b
    Example:
        spade-serve audit --fix
    """
    stores = access_stores(state)
    report = stores.audit(safe_age_seconds=safe_age, fix=fix, digests=digests).run()
    if as_json:
        print_json(_as_json(report))
    else:
        _print(report)
    if report.wrong:
        raise AuditError(f"{report.wrong} things are wrong" + ("" if fix else "; --fix mends what can be mended"))


def _items(report: Report) -> dict[str, int]:
    balance = report.balance
    assert balance is not None
    ended = {state.value: count for state, count in balance.ended.items()}
    return {"accepted": balance.accepted, **ended, "open": balance.open_items}


def _as_json(report: Report) -> dict[str, object]:
    faults = {
        kind: {"found": found, "mended": report.mended[kind], "examples": report.examples[kind]}
        for kind, found in sorted(report.found.items())
    }
    return {
        "ok": report.wrong == 0,
        "items": _items(report),
        "jobs": report.jobs,
        "objects": report.objects,
        "faults": faults,
    }


def _print(report: Report) -> None:
    items = _items(report)
    print_table(tuple(items), [tuple(map(str, items.values()))])
    click.echo(f"{report.jobs} jobs and {report.objects} objects looked at")
    if report.found:
        rows = [
            (kind, str(found), str(report.mended[kind]), ", ".join(report.examples[kind][:3]))
            for kind, found in sorted(report.found.items())
        ]
        print_table(("fault", "found", "mended", "where"), rows)
