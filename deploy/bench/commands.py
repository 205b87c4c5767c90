"""`spade-serve bench`: benchmarks of the service."""

import dataclasses
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from deploy.bench.bulk import measure_bulk
from deploy.bench.engines import measure_engines
from deploy.bench.engines_report import engines_tables
from deploy.bench.load import measure_load
from deploy.bench.load_report import load_tables
from deploy.bench.queue import measure_queue
from deploy.bench.report import Benchmark, benchmarks, run_all
from deploy.bench.saturation import measure_saturation
from deploy.bench.scaling_commands import costs, scaling_plan, scheduler
from deploy.bench.shown import show_tables
from deploy.bench.telemetry import measure_telemetry
from deploy.options import print_json
from spade.files import written_whole
from spade.options import json_option


@click.group()
def bench() -> None:
    """Measure the service on this machine.

    \b
    Example:
        spade-serve bench queue --json
    """


@bench.command()
@click.option("--items", default=5000, show_default=True, help="Items that go through the store in a round.")
@click.option("--rounds", default=3, show_default=True, help="Rounds; the medians are reported.")
@json_option
def queue(items: int, rounds: int, as_json: bool) -> None:
    """Measure the job store with an engine that does nothing, and a Celery task round trip beside it.

    \b
    Example:
        spade-serve bench queue --json
    """
    _show(dataclasses.asdict(measure_queue(items=items, rounds=rounds)), "The queue on this machine", as_json)


def _show(figures: dict[str, float], title: str, as_json: bool) -> None:
    if as_json:
        print_json(figures)
        return
    table = Table("figure", "value", title=title)
    table.columns[1].justify = "right"
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), f"{value:,.3g}" if value < 100 else f"{value:,.0f}")
    Console().print(table)


@bench.command()
@click.option("--items", default=50_000, show_default=True, help="Label maps of the job.")
@json_option
def bulk(items: int, as_json: bool) -> None:
    """Measure a bulk job from a prefix to its end, through the real parts and without an engine.

    \b
    Example:
        spade-serve bench bulk --items 50000 --json
    """
    _show(dataclasses.asdict(measure_bulk(items=items)), "A bulk job on this machine", as_json)


@bench.command()
@click.option("--seconds", default=30.0, show_default=True, help="For each number of clients, and for a full queue.")
@click.option("--items", default=100_000, show_default=True, help="Items that pass through while memory is watched.")
@json_option
def load(seconds: float, items: int, as_json: bool) -> None:
    """Measure the API under load with a worker that computes nothing: latency, refusals, memory. Takes eight minutes.

    \b
    Example:
        spade-serve bench load --seconds 10 --items 20000
    """
    figures = dataclasses.asdict(measure_load(seconds=seconds, items=items))
    show_tables(figures, load_tables, as_json)


@bench.command()
@click.option("--batches", default=8, show_default=True, help="Batches of eight label maps in a round.")
@click.option("--rounds", default=3, show_default=True, help="Rounds; the medians are reported.")
@click.option("--threads", default=1, show_default=True, help="CPU threads of the engine.")
@json_option
def worker(batches: int, rounds: int, threads: int, as_json: bool) -> None:
    """Measure a worker that always has work against its bare engine, on the same label maps.

    \b
    Example:
        spade-serve bench worker --threads 2 --json
    """
    figures = measure_saturation(threads=threads, batches=batches, rounds=rounds)
    _show_facts(dataclasses.asdict(figures), "A saturated worker", as_json)


def _show_facts(figures: dict[str, Any], title: str, as_json: bool) -> None:
    if as_json:
        print_json(figures)
        return
    table = Table("figure", "value", title=title)
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), f"{value:.3g}" if isinstance(value, float) else str(value))
    Console().print(table)


@bench.command()
@click.option("--rounds", type=click.IntRange(2), default=20, show_default=True, help="Batches of each size.")
@click.option("--threads", default=2, show_default=True, help="CPU threads of either engine.")
@json_option
def engines(rounds: int, threads: int, as_json: bool) -> None:
    """Measure TorchServe as the engine against the worker's own, on the same label maps. It needs Java.

    \b
    Example:
        spade-serve bench engines --json
    """
    figures = dataclasses.asdict(measure_engines(threads=threads, rounds=rounds))
    show_tables(figures, engines_tables, as_json)


@bench.command()
@click.option("--batches", default=8, show_default=True, help="Batches of eight label maps in a round.")
@click.option("--null-batches", default=32, show_default=True, help="The same with an engine that does nothing.")
@click.option("--rounds", default=5, show_default=True, help="Rounds of each kind; the medians are reported.")
@click.option("--threads", default=1, show_default=True, help="CPU threads of the engine.")
@json_option
def telemetry(batches: int, null_batches: int, rounds: int, threads: int, as_json: bool) -> None:
    """Measure a worker with metrics, log and traces against one without. Needs the extra [traces]; takes five minutes.

    \b
    Example:
        spade-serve bench telemetry --json
    """
    figures = measure_telemetry(threads=threads, batches=batches, null_batches=null_batches, rounds=rounds)
    _show_facts(dataclasses.asdict(figures), "What telemetry costs", as_json)


@bench.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), default="BENCHMARKS.md", show_default=True)
@click.option("--coco", type=click.Path(path_type=Path, exists=True), help="COCO-Stuff, to measure the engine on.")
@click.option("--camvid", type=click.Path(path_type=Path, exists=True), help="CamVid, to measure training on.")
@click.option("--only", metavar="WORDS", help="Measure those whose titles have this; keep OUTPUT's other sections.")
def report(output: Path, coco: Path | None, camvid: Path | None, only: str | None) -> None:
    """Run every benchmark, which takes half an hour on two cores, and write what came of it.

    Leave the machine alone meanwhile.

    \b
    Examples:
        spade-serve bench report --coco data/coco_stuff --camvid data/camvid
        spade-serve bench report --only "under load"
    """
    chosen = [one for one in benchmarks(coco=coco, camvid=camvid) if only is None or only in one.title]
    if not chosen:
        titles = ", ".join(one.title for one in benchmarks(coco=coco, camvid=camvid))
        raise click.UsageError(f"no benchmark's title has {only!r}; there are: {titles}")
    earlier = output.read_text(encoding="utf-8") if only is not None and output.exists() else ""

    def say(benchmark: Benchmark) -> None:
        click.echo(f"{benchmark.title} …", err=True)

    text = run_all(chosen, say, earlier=earlier)
    with written_whole(output) as partial:
        partial.write_text(text, encoding="utf-8")
    click.echo(str(output))


for _command in (scheduler, costs, scaling_plan):
    bench.add_command(_command)
