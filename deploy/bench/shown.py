"""How commands show figures that make several tables."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.bench.load_report import TitledTable
from deploy.options import print_json


def show_tables(
    figures: dict[str, Any], tables: Callable[[Mapping[str, Any]], Iterator[TitledTable]], as_json: bool
) -> None:
    """Print one JSON object, or what `tables` make of it."""
    if as_json:
        print_json(figures)
        return
    for title, columns, rows in tables(figures):
        table = Table(*columns, title=title)
        for row in rows:
            table.add_row(*row)
        Console().print(table)
