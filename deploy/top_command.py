"""`spade-serve top`: the service at work, in a terminal."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import click
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from api.client import SpadeClient
from api.client_errors import ClientError
from api.summary import JobLine, OpsSummary
from deploy.options import key_option, printable, service_url, state_option, url_option
from spade.options import json_option
from workers.messages import Priority
from workers.presence import Presence

_RATE_SECONDS: Final = 10.0
_JOBS: Final = 8
_FAILURES: Final = 5
_WORKERS: Final = 6
_WIDE: Final = 100
"""Columns of a terminal in which the tables are whole."""
_WIDTH_OF_FILES: Final = 200
_UNITS: Final = ((60.0, "s", 1.0), (7200.0, "min", 60.0), (float("inf"), "h", 3600.0))


@click.command()
@state_option
@url_option
@key_option
@click.option("--interval", type=click.FloatRange(0.2), default=2.0, show_default=True, help="Seconds between looks.")
@click.option("--once", is_flag=True, help="Look once and end.")
@json_option
def top(state: Path, url: str | None, key: str | None, interval: float, once: bool, as_json: bool) -> None:
    """Show queues, workers, newest jobs and failures until Ctrl-C. A key needs the scope `metrics`.

    \b
    Examples:
        spade-serve top
        spade-serve top --json | jq .open_items
    """
    console = Console()
    with SpadeClient(service_url(url, state), key=key) as client:
        first = client.operations()
        if as_json:
            click.echo(first.model_dump_json(indent=2))
        elif once or not console.is_terminal:
            console.width = console.width if console.is_terminal else _WIDTH_OF_FILES
            console.print(_screen(deque([first]), width=console.width), soft_wrap=True)
        else:
            _watch(console, client.operations, first, interval)


def _watch(console: Console, look: Callable[[], OpsSummary], first: OpsSummary, interval: float) -> None:
    """Until Ctrl-C; a service that does not answer for a while is shown as it was."""
    pause, recent = threading.Event(), deque([first])
    with Live(_screen(recent, width=console.width), console=console, screen=True, auto_refresh=False) as live:
        while not pause.wait(interval):
            error = ""
            try:
                recent.append(look())
            except ClientError as away:
                error = str(away)
            while (recent[-1].time - recent[0].time).total_seconds() > _RATE_SECONDS:
                recent.popleft()
            live.update(_screen(recent, error, width=console.width), refresh=True)


def _screen(recent: deque[OpsSummary], error: str = "", *, width: int) -> RenderableType:
    now = recent[-1]
    parts = [_figures(recent), _workers(now), _queues(now), _jobs(now, width), _failures(now, width)]
    if error:
        told = f"{error}; these are figures of {now.time.astimezone():%H:%M:%S}"
        parts.insert(0, Text(printable(told), style="bold red"))
    return Group(*parts)


def _figures(recent: deque[OpsSummary]) -> RenderableType:
    now, before = recent[-1], recent[0]
    seconds = (now.time - before.time).total_seconds()
    rate = f"{(_made(now) - _made(before)) / seconds:.1f}" if seconds > 0 else "–"
    waiting = sum(sum(queue.waiting.values()) for queue in now.queues)
    oldest = max((max(queue.oldest_seconds.values()) for queue in now.queues), default=0.0)
    here = [worker for worker in now.workers if worker.state is not Presence.GONE]
    busy = sum(worker.busy_share for worker in here) / len(here) if here else 0.0
    figures = {
        "pictures/s": rate,
        "waiting": str(waiting),
        "held": str(now.held_items),
        "oldest": _duration(oldest),
        "worker" if len(here) == 1 else "workers": str(len(here)),
        "busy": f"{busy:.0%}",
        "dead letters": str(now.dead_letters),
    }
    shown = [Text.assemble((value, "bold"), f" {name}") for name, value in figures.items()]
    return Panel(Columns(shown, padding=(0, 3)), title=f"spade-serving {now.version}", title_align="left")


def _made(summary: OpsSummary) -> int:
    return sum(queue.succeeded for queue in summary.queues)


def _workers(summary: OpsSummary) -> RenderableType:
    if not summary.workers:
        return Text("no worker has said anything in the last ten minutes\n", style="red")
    shown = sorted(summary.workers, key=lambda worker: worker.state is Presence.GONE)[:_WORKERS]
    styles = {Presence.BUSY: "green", Presence.GONE: "red"}
    rows = [
        (
            worker.name,
            Text(worker.state, style=styles.get(worker.state, "")),
            worker.device,
            worker.engine,
            f"{worker.busy_share:.0%}",
            str(worker.pictures),
            _duration((summary.time - worker.seen).total_seconds()),
        )
        for worker in shown
    ]
    more = len(summary.workers) - len(shown)
    return _table(("worker", "state", "device", "engine", "busy>", "pictures>", "heard of>"), rows, more=more)


def _queues(summary: OpsSummary) -> RenderableType:
    rows: list[tuple[str | Text, ...]] = [
        (
            queue.model,
            *(str(queue.waiting[priority]) for priority in Priority),
            _duration(max(queue.oldest_seconds.values())),
            f"{queue.pixels_per_second / 1000:.0f}",
            str(queue.succeeded),
            _bad(queue.failed),
        )
        for queue in summary.queues
    ]
    priorities = (f"{priority}>" for priority in Priority)
    return _table(("model", *priorities, "oldest>", "kpixel/s>", "succeeded>", "failed>"), rows)


def _jobs(summary: OpsSummary, width: int) -> RenderableType:
    more = ("model", "priority", "owner") if width >= _WIDE else ()
    rows: list[tuple[str | Text, ...]] = [
        (
            job.id,
            _state(job),
            f"{job.succeeded + job.failed} of {job.total}",
            _bad(job.failed),
            *((job.model, job.priority, job.owner) if more else ()),
            _duration((summary.time - job.created).total_seconds()),
        )
        for job in summary.jobs[:_JOBS]
    ]
    return _table(("newest jobs", "state", "items>", "failed>", *more, "age>"), rows)


def _failures(summary: OpsSummary, width: int) -> RenderableType:
    if not summary.failures:
        return Text("")
    shown = summary.failures[:_FAILURES]
    rows = [(f"{one.job}:{one.index}", Text(one.reason, style="red"), one.detail or "") for one in shown]
    room = max(10, width - max(len(row[0]) + len(row[1]) for row in rows) - 6)
    cut = [(name, reason, detail if len(detail) <= room else f"{detail[:room]}…") for name, reason, detail in rows]
    return _table(("newest failures", "reason", "detail"), cut, more=len(summary.failures) - len(shown))


def _state(job: JobLine) -> Text:
    style = {"succeeded": "green", "failed": "red", "expired": "yellow"}.get(job.state, "")
    return Text(job.state, style=style)


def _bad(count: int) -> Text:
    return Text(str(count), style="red" if count else "")


def _table(titles: Sequence[str], rows: Sequence[Sequence[str | Text]], *, more: int = 0) -> RenderableType:
    """Columns whose titles end with `>` are of numbers; `more` rows are told, not shown.

    Cells are whole. Brackets in texts mean nothing, and what a terminal would obey is left out.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for number, title in enumerate(titles):
        widest = max((len(row[number]) for row in rows), default=0)
        name, right = title.removesuffix(">"), title.endswith(">")
        justify: Literal["left", "right"] = "right" if right else "left"
        table.add_column(name, justify=justify, no_wrap=True, min_width=max(widest, len(name)))
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    return Group(table, Text(f"… {more} more", style="dim")) if more else table


def _duration(seconds: float) -> str:
    seconds = max(0.0, seconds)
    unit, size = next((unit, size) for most, unit, size in _UNITS if seconds < most)
    return f"{seconds / size:.0f} {unit}"
