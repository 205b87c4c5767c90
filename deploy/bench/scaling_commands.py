"""Commands of `spade-serve bench` about scale: the simulated scheduler, what an item costs, and k8s/SCALING.md."""

import dataclasses
import json
from pathlib import Path

import click

from deploy.bench.item_memory import measure_memory_of_items
from deploy.bench.scaling_plan import filled, measure_all
from deploy.bench.scaling_serving import Price, measured_tables
from deploy.bench.scheduler import WORKERS, measure_scheduler
from deploy.bench.scheduler_report import scheduler_tables
from deploy.bench.service_costs import measure_service_costs
from deploy.bench.shown import show_tables
from spade.files import written_whole
from spade.options import json_option


@click.command()
@click.option(
    "--workers", type=click.IntRange(1), multiple=True, default=WORKERS, show_default=True, help="Once for each number."
)
@click.option("--pictures", default=20_000, show_default=True, help="Of each number of workers, or more.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Pictures a second of a worker; absent: a GPU's.")
@click.option("--seed", default=0, show_default=True, help="Of arrivals, times and losses.")
@json_option
def scheduler(workers: tuple[int, ...], pictures: int, rate: float | None, seed: int, as_json: bool) -> None:
    """Simulate very many workers on the real job store: latency of claims, fairness, load of Redis. Takes minutes.

    \b
    Examples:
        spade-serve bench scheduler
        spade-serve bench scheduler --workers 200 --pictures 5000 --rate 120 --json
    """
    figures = measure_scheduler(workers=workers, pictures=pictures, worker_pictures_per_second=rate, seed=seed)
    show_tables(dataclasses.asdict(figures), scheduler_tables, as_json)


@click.command()
@click.option("--items", type=click.IntRange(100), default=10_000, show_default=True, help="Of each kind of job.")
@click.option("--jobs", type=click.IntRange(1), default=20, show_default=True, help="Of one picture, and of twenty.")
@click.option("--idle-seconds", default=30.0, show_default=True, help="For which a worker without work is watched.")
@json_option
def costs(items: int, jobs: int, idle_seconds: float, as_json: bool) -> None:
    """Measure what an item takes of Redis' memory, a picture of the object store, and an idle worker of Redis.

    \b
    Example:
        spade-serve bench costs --json
    """
    figures = {
        "memory": dataclasses.asdict(measure_memory_of_items(items=items)),
        "service": dataclasses.asdict(measure_service_costs(jobs=jobs, idle_seconds=idle_seconds)),
    }
    show_tables(figures, measured_tables, as_json)


@click.command("scaling-plan")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, exists=True), default="k8s/SCALING.md", show_default=True
)
@click.option("--figures", type=click.Path(path_type=Path), default="k8s/scaling.json", show_default=True)
@click.option("--measure", is_flag=True, help="Measure on this machine, and write FIGURES; else they are read.")
@click.option("--price", default=Price().gpu_hour, show_default=True, help="Of a GPU's hour, in any money.")
def scaling_plan(output: Path, figures: Path, measure: bool, price: float) -> None:
    """Write the tables of k8s/SCALING.md anew: how many GPUs, servers and bytes so many pictures a second need.

    \b
    Examples:
        spade-serve bench scaling-plan
        spade-serve bench scaling-plan --measure --price 3.50
    """
    if measure:
        with written_whole(figures) as partial:
            partial.write_text(json.dumps(measure_all(), indent=2) + "\n", encoding="utf-8")
    known = json.loads(figures.read_text(encoding="utf-8"))
    text = filled(output.read_text(encoding="utf-8"), known, Price(gpu_hour=price))
    with written_whole(output) as partial:
        partial.write_text(text, encoding="utf-8")
    click.echo(str(output))
