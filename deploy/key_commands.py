"""`spade-serve keys`: who may use the service, for what, and how much."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from deploy.options import print_json, print_table, state_option
from deploy.quantities import read_rate, read_size, read_time, write_size
from deploy.store_access import service_settings
from spade.options import json_option
from workers.key_store import KeyStore
from workers.keys import KeyRecord, NewKey, Scope
from workers.limits import KeyLimits, Rate
from workers.storage import ObjectStore

GRACE: Final = "24h"


@click.group()
def keys() -> None:
    """Make, list, replace and revoke API keys.

    As long as there are none, the API serves its own machine only and asks nobody who they are. They lie in the object
    store of the SPADE_ variables, or of the stack of --state, and never as they are sent.

    \b
    Example:
        spade-serve keys create --name ann --rate 100/min --storage-quota 10GiB
    """


@keys.command()
@click.option("--name", required=True, help="Whose, or what for; for people.")
@click.option(
    "scopes",
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    default=["jobs"],
    show_default=True,
    help="What for; may be repeated. admin: all of it, and reading and canceling everybody's jobs.",
)
@click.option(
    "--owner", help="Whose jobs it works with; one of its own by default. `local`: jobs from before the keys."
)
@click.option(
    "--rate",
    type=read_rate,
    metavar="N/s|N/min|N/h",
    help="Requests in a time; all may come at once. Without it: any number.",
)
@click.option("--max-items", type=click.IntRange(1), help="Open items at one time; else SPADE_MAX_OWNER_ITEMS.")
@click.option("--max-pixels", type=click.IntRange(1), help="Open pixels at one time; else as the service has it.")
@click.option(
    "--storage-quota", type=read_size, metavar="SIZE", help="Of inputs and pictures that are kept, like 10GiB."
)
@state_option
@json_option
def create(
    name: str,
    scopes: tuple[str, ...],
    owner: str | None,
    rate: Rate | None,
    max_items: int | None,
    max_pixels: int | None,
    storage_quota: int | None,
    state: Path,
    as_json: bool,
) -> None:
    """Make a key and print it, this once.

    Limits are those of the key; open items and stored bytes are counted by owner.

    \b
    Example:
        spade-serve keys create --name prometheus --scope metrics > prometheus.key
    """
    limits = KeyLimits(rate=rate, max_items=max_items, max_pixels=max_pixels, storage_bytes=storage_quota)
    created = _store(state).create(name=name, scopes=frozenset(map(Scope, scopes)), limits=limits, owner=owner)
    _tell(created, as_json=as_json, remark="it takes effect at once, and for a service without keys within 5 seconds")


@keys.command("list")
@state_option
@json_option
def list_keys(state: Path, as_json: bool) -> None:
    """List all keys, revoked ones too, without their secrets.

    \b
    Example:
        spade-serve keys list
    """
    records = _store(state).records()
    if as_json:
        print_json({"keys": [_described(record) for record in records]})
        return
    columns = ("key", "name", "owner", "scopes", "limits", "state")
    print_table(columns, [_row(record) for record in records])


@keys.command()
@click.argument("key_id")
@click.option("--grace", type=read_time, metavar="TIME", default=GRACE, show_default=True, help="For the old one.")
@click.option("--now", is_flag=True, help="The old one is of no use any more within 5 seconds.")
@state_option
@json_option
def rotate(key_id: str, grace: float, now: bool, state: Path, as_json: bool) -> None:
    """Give a key another secret and print it; the old one stays valid for a while.

    Owner, scopes and limits stay, and so do the jobs.

    \b
    Example:
        spade-serve keys rotate 4f3c2a1b09d8e7f6 --grace 1h
    """
    grace_seconds = 0.0 if now else grace
    changed = _store(state).rotate(key_id, grace_seconds=grace_seconds)
    until = "for 5 seconds at most" if now else f"until {_time(changed.record.secrets[-1].valid_until_ms)}"
    _tell(changed, as_json=as_json, remark=f"the old one is valid {until}")


@keys.command()
@click.argument("key_id")
@state_option
@json_option
def revoke(key_id: str, state: Path, as_json: bool) -> None:
    """End a key for good, within 5 seconds. Its jobs stay, and go on.

    \b
    Example:
        spade-serve keys revoke 4f3c2a1b09d8e7f6
    """
    record = _store(state).revoke(key_id)
    if as_json:
        print_json(_described(record))
    else:
        click.echo(f"key {record.id} of {record.name} is revoked; links to pictures given out before are valid an hour")


def _store(state: Path) -> KeyStore:
    return KeyStore(ObjectStore(service_settings(state).storage))


def _tell(new: NewKey, *, as_json: bool, remark: str) -> None:
    """The key alone on standard output, so that it can be sent to a file."""
    if as_json:
        print_json({**_described(new.record), "key": new.text})
        return
    click.echo(
        f"key {new.record.id} of owner {new.record.owner}: keep it, it cannot be shown again; {remark}", err=True
    )
    click.echo(new.text)


def _described(record: KeyRecord) -> dict[str, Any]:
    limits = record.limits
    return {
        "id": record.id,
        "name": record.name,
        "owner": record.owner,
        "scopes": sorted(record.scopes),
        "rate": None if limits.rate is None else str(limits.rate),
        "max_items": limits.max_items,
        "max_pixels": limits.max_pixels,
        "storage_quota_bytes": limits.storage_bytes,
        "created": _time(record.created_ms),
        "rotated": _time(record.rotated_ms),
        "revoked": _time(record.revoked_ms),
    }


def _row(record: KeyRecord) -> tuple[str, ...]:
    limits = record.limits
    told = [
        *([] if limits.rate is None else [str(limits.rate)]),
        *([] if limits.max_items is None else [f"{limits.max_items} items"]),
        *([] if limits.max_pixels is None else [f"{limits.max_pixels} pixels"]),
        *([] if limits.storage_bytes is None else [write_size(limits.storage_bytes)]),
    ]
    condition = "valid" if record.revoked_ms is None else "revoked"
    owner = "its own" if record.owner == record.id else record.owner
    return record.id, record.name, owner, " ".join(sorted(record.scopes)), ", ".join(told), condition


def _time(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%FT%TZ}"
