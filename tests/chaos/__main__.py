"""`make chaos`: faults over real processes under load, and whether anything was lost or doubled."""

import os
import tempfile
from pathlib import Path

import click

from chaos.campaign import Campaign, run_campaign
from deploy.options import print_json, print_table
from spade.options import json_option


@click.command()
@click.option("--faults", type=click.IntRange(1), default=200, show_default=True, help="How many to inject.")
@click.option("--seconds", type=click.FloatRange(1), default=3600.0, show_default=True, help="At most for so long.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of faults and requests.")
@json_option
def main(faults: int, seconds: float, seed: int, as_json: bool) -> None:
    """Inject faults into the whole service under load, then check that nothing was lost, doubled or damaged.

    Kills, pauses and restarts workers, API, Redis and object store, lets the object store answer with errors, late and
    by halves, lets clients leave and items kill their workers. Afterwards the queue has to drain, and after
    `spade-serve audit --fix` every acknowledged job has to be there once, with the pictures that its input makes. Exit
    status 1: something is wrong.

    \b
    Example:
        PYTHONPATH=tests python -m chaos --faults 50 --seed 7
    """
    with tempfile.TemporaryDirectory(prefix="spade-chaos-") as folder:
        campaign = run_campaign(
            Path(folder),
            os.environ,
            faults=faults,
            seconds=seconds,
            seed=seed,
            say=lambda event: click.echo(event, err=True),
        )
    print_json(as_values(campaign)) if as_json else show(campaign)
    if not campaign.ok:
        raise SystemExit(1)


def as_values(campaign: Campaign) -> dict[str, object]:
    """What `--json` prints."""
    verdict = campaign.verdict
    return {
        "ok": campaign.ok,
        "seed": campaign.seed,
        "seconds": round(campaign.wall_seconds, 1),
        "faults": dict(campaign.struck),
        "faults_not_seen": campaign.not_seen,
        "restarts": campaign.restarts,
        "object_store_answers": campaign.object_store_answers,
        "client_requests": campaign.requests,
        "jobs": dict(verdict.jobs),
        "items": dict(verdict.items),
        "audit_mended": dict(verdict.audit),
        "given_up_wrongly_and_retried": verdict.given_up_wrongly,
        "wrong": dict(verdict.wrong),
    }


def show(campaign: Campaign) -> None:
    """Tables for people."""
    verdict = campaign.verdict
    rows = [
        (kind, str(count), f"{campaign.seconds[kind] / count:.1f}", str(sum(kind in one for one in campaign.not_seen)))
        for kind, count in sorted(campaign.struck.items())
    ]
    print_table(("fault", "struck", "seconds each", "not seen"), rows)
    click.echo(
        f"\n{campaign.struck.total()} faults in {campaign.wall_seconds:.0f} s, seed {campaign.seed}; "
        f"{campaign.restarts} restarts; {sum(campaign.object_store_answers.values())} object store requests struck"
    )
    for title, figures in (
        ("requests of clients", campaign.requests),
        ("jobs", verdict.jobs),
        ("items", verdict.items),
        ("found and mended by the audit", verdict.audit),
    ):
        click.echo(f"{title}: {', '.join(f'{count} {name}' for name, count in figures.items()) or 'nothing'}")
    click.echo(f"given up after three losses to faults of others, then retried: {verdict.given_up_wrongly} items")
    for kind, places in verdict.wrong.items():
        click.echo(f"WRONG {kind}: {len(places)}; {'; '.join(place[:160] for place in places[:10])}")
    click.echo("Nothing was lost, doubled or damaged." if campaign.ok else "This must not be.")


if __name__ == "__main__":
    main()
