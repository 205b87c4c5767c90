"""What several commands share."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from deploy.errors import StateError
from deploy.local.state import StateFolder, default_state_folder

_WIDTH_OF_FILES = 10_000
"""Of tables that go to a file or a program, so that each row stays on its line."""
Command = TypeVar("Command", bound=Callable[..., Any])


def state_option(command: Command) -> Command:
    """`--state DIR`, the default state folder unless given."""
    return click.option(
        "--state",
        type=click.Path(file_okay=False, path_type=Path),
        default=default_state_folder,
        show_default="~/.local/state/spade-serving",
        help="Folder of the service's data, logs and credentials.",
    )(command)


def url_option(command: Command) -> Command:
    """`--url`, else SPADE_URL, else (see `service_url`) the stack of `--state`."""
    return click.option(
        "--url",
        envvar="SPADE_URL",
        show_envvar=True,
        show_default="the stack that `spade-serve up` started",
        help="Address of the service.",
    )(command)


def key_option(command: Command) -> Command:
    """`--key-file`, else SPADE_API_KEY: the command is given `key`, which is None where there is neither."""

    def read(_: click.Context, __: click.Parameter, path: Path | None) -> str | None:
        text = (
            os.environ.get("SPADE_API_KEY", "") if path is None else path.read_text(encoding="utf-8", errors="replace")
        )
        return text.strip() or None

    return click.option(
        "key",
        "--key-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        callback=read,
        show_default="the variable SPADE_API_KEY",
        help="File with the API key.",
    )(command)


def service_url(url: str | None, state: Path) -> str:
    """`url`, or the address of the stack on `state`.

    Raises `StateError` where there is neither.
    """
    if url:
        return url
    config = StateFolder(state).read_config()
    if config is None:
        raise StateError(
            f"no service is known: {state} has had none; start one with `spade-serve up`, or give the address of "
            "another with --url or SPADE_URL"
        )
    return config.url


def print_json(value: Mapping[str, object]) -> None:
    """Print `value` as what `--json` promises, one JSON object."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under the names of their columns: nothing is cut off, and the first of a row is in one piece."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        whole = max((len(row[0]) for row in rows), default=None) if number == 0 else None
        table.add_column(name, min_width=whole, overflow="fold")
    for row in rows:
        table.add_row(*map(printable, row))
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH_OF_FILES
    console.print(table, markup=False, soft_wrap=True)


def printable(text: str) -> str:
    """Without what would move a terminal's cursor or name its window: texts come from those who submit jobs."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def require_loopback(host: str) -> None:
    """Raises a usage error unless `host` is this machine only."""
    if host not in ("127.0.0.1", "localhost"):
        raise click.BadParameter(
            f"{host!r} would open the service to others, and its object store, where pictures are fetched, is on this "
            "machine only; let others in through a proxy with TLS, or run `spade-serve api` with servers of your own",
            param_hint="--host",
        )
