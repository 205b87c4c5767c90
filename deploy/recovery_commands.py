"""`spade-serve requeue`: for the day on which Redis has lost everything."""

from pathlib import Path

import click

from deploy.errors import DeployError
from deploy.options import print_json, state_option
from deploy.store_access import access_stores
from spade.options import json_option
from workers.recovery import Outcome, Requeued


class UnreadableJobsError(DeployError):
    """Stored jobs that could not be taken back."""


@click.command()
@click.option("--from-store", is_flag=True, required=True, help="Say it: from what the object store has.")
@state_option
@json_option
def requeue(from_store: bool, state: Path, as_json: bool) -> None:  # noqa: ARG001 - required, so it is true
    """Take every job back into Redis that the object store has and Redis does not.

    For a Redis that has lost its data. Items that have ended are not done again, jobs that have ended can be read
    again. It may be broken off, run again, and run while the service works. Redis and the object store are those of the
    SPADE_ variables, or of the stack of --state.

    \b
    Example:
        spade-serve requeue --from-store
    """
    done = access_stores(state).recovery.requeue(None if as_json else _show)
    if as_json:
        print_json({"jobs": done.jobs, "items": done.items, "unreadable": done.unreadable})
    else:
        click.echo(_sentence(done))
    if done.unreadable:
        raise UnreadableJobsError(
            f"{done.jobs[Outcome.UNREADABLE]} stored jobs cannot be read: {', '.join(done.unreadable[:10])}; "
            "see to what the bucket has below jobs/ID/ of each, then run this again"
        )


def _show(done: Requeued) -> None:
    seen = done.jobs.total()
    if seen % 1000 == 0:
        click.echo(f"{seen} stored jobs looked at …", err=True)


def _sentence(done: Requeued) -> str:
    items = ", ".join(f"{count} {state}" for state, count in sorted(done.items.items())) or "none"
    jobs = done.jobs
    return (
        f"{jobs[Outcome.OPENED]} jobs go on, {jobs[Outcome.ENDED]} ended ones can be read again, "
        f"{jobs[Outcome.KNOWN]} were known; items taken back: {items}"
    )
