"""`spade-serve dead-letters`: items that were given up because they kept killing their worker."""

import dataclasses
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from deploy.errors import DeployError
from deploy.options import print_json, print_table, state_option
from deploy.store_access import access_stores
from spade.options import json_option
from workers.dead_letters import DeadLetter
from workers.repairs import RetryAnswer

_WHY_NOT: Final = {
    RetryAnswer.UNLIKE: "is no dead letter; `spade-serve dead-letters list` lists them",
    RetryAnswer.LATE: "is past its job's deadline, so that it would expire; submit it as a new job",
}


class NotRetriedError(DeployError):
    """Items that were not put back."""


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at items that were given up because they kept killing their worker, and retry them.

    \b
    Example:
        spade-serve dead-letters list
    """


@dead_letters.command("list")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most to be listed.")
@state_option
@json_option
def list_letters(limit: int, state: Path, as_json: bool) -> None:
    """List them, oldest first.

    \b
    Example:
        spade-serve dead-letters list --json
    """
    letters = access_stores(state).dead_letters
    listed, total = letters.oldest(limit), letters.count()
    if as_json:
        print_json({"total": total, "dead_letters": [_as_json(letter) for letter in listed]})
        return
    columns = ("item", "given up", "model", "label map", "attempts", "detail")
    print_table(columns, [_row(letter) for letter in listed])
    click.echo(f"{len(listed)} of {total} dead letters")


@dead_letters.command()
@click.argument("item")
@state_option
@json_option
def show(item: str, state: Path, as_json: bool) -> None:
    """Show everything about ITEM, named JOB:INDEX as `list` does, with the keys of its inputs in the object store.

    \b
    Example:
        spade-serve dead-letters show 01JDZQ6M9K3T5V7X8Y2B4C6D8E:3
    """
    values = _as_json(access_stores(state).dead_letters.letter(item))
    if as_json:
        print_json(values)
    else:
        print_table(("what", "value"), [(name.replace("_", " "), str(value)) for name, value in values.items()])


@dead_letters.command()
@click.argument("items", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All that there are.")
@state_option
@json_option
def retry(items: tuple[str, ...], every: bool, state: Path, as_json: bool) -> None:
    """Put ITEMS back into the queue, each to be tried alone and as often as a new one; their jobs are open again.

    \b
    Example:
        spade-serve dead-letters retry --all
    """
    if every == bool(items):
        raise click.UsageError("name the items, or say --all")
    letters = access_stores(state).dead_letters
    answers = letters.retry(letters.ids() if every else list(dict.fromkeys(items)))
    counts = Counter(answers.values())
    if as_json:
        print_json({"items": answers})
    else:
        click.echo(f"{counts[RetryAnswer.RETRIED]} of {len(answers)} items put back")
    refused = [(identity, why) for identity, answer in answers.items() if (why := _WHY_NOT.get(answer))]
    if refused:
        identity, why = refused[0]
        raise NotRetriedError(f"{len(refused)} items not put back; {identity} {why}")


def _as_json(letter: DeadLetter) -> dict[str, object]:
    job, item = letter.job, letter.item
    return {
        "id": letter.id,
        "given_up_at": _time(letter.given_up_ms),
        "owner": job.owner,
        "model": f"{job.model}@{job.model_version}",
        "size": f"{job.width}x{job.height}",
        "created_at": _time(job.created_ms),
        "deadline_at": None if job.deadline_ms is None else _time(job.deadline_ms),
        **{
            name: value
            for name, value in dataclasses.asdict(item).items()
            if value not in (None, {}) and name != "fence"
        },
    }


def _row(letter: DeadLetter) -> tuple[str, ...]:
    item = letter.item
    return (
        letter.id,
        _time(letter.given_up_ms),
        letter.job.model,
        item.file,
        str(item.attempts),
        item.detail or "",
    )


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
