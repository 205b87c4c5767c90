"""k8s/SCALING.md: its tables, between markers, from what was measured and what is computed now."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from deploy.bench.item_memory import measure_memory_of_items
from deploy.bench.load_report import TitledTable
from deploy.bench.report import machine, markdown_tables
from deploy.bench.scaling_serving import Price, cost_table, engine_table, gpu_table, measured_tables, need_table
from deploy.bench.scaling_training import exchange_of_coco, exchange_table, ring_table, training_tables
from deploy.bench.scheduler import measure_scheduler
from deploy.bench.scheduler_report import scheduler_tables
from deploy.bench.service_costs import measure_service_costs
from deploy.errors import BenchmarkError

Figures = Mapping[str, Any]

_ITEMS: Final = 10_000
_JOBS: Final = 20
_IDLE_SECONDS: Final = 30.0
_SECTION: Final = re.compile(r"(<!-- begin (?P<name>[a-z-]+) -->\n).*?(<!-- end (?P=name) -->)", re.DOTALL)


def measure_all() -> dict[str, Any]:
    """What this machine can measure of it, as JSON has it; takes some minutes."""
    figures = {
        "memory": asdict(measure_memory_of_items(items=_ITEMS)),
        "service": asdict(measure_service_costs(jobs=_JOBS, idle_seconds=_IDLE_SECONDS)),
        "scheduler": json.loads(json.dumps(asdict(measure_scheduler()))),
    }
    return {"machine": f"{machine()} {load_of_machine()}", **figures}


def load_of_machine() -> str:
    """How much else ran: on a busy machine times are longer, most of all the 99th percentiles."""
    return f"Processes that wanted to run, over the last minutes: {os.getloadavg()[1]:.1f}."


def sections(figures: Figures, price: Price) -> dict[str, str]:
    """Markdown by the names of its markers."""
    counted = exchange_of_coco()
    tables: dict[str, Callable[[], Iterator[TitledTable]]] = {
        "gpus": lambda: iter([engine_table(), gpu_table()]),
        "needs": lambda: iter([need_table(figures)]),
        "costs": lambda: iter([cost_table(price)]),
        "measured": lambda: measured_tables(figures),
        "scheduler": lambda: scheduler_tables(figures["scheduler"]),
        "exchange": lambda: iter([exchange_table(counted), ring_table(counted)]),
        "training": lambda: training_tables(counted, price),
    }
    texts = {name: markdown_tables(make()) for name, make in tables.items()}
    return {**texts, "machine": f"{figures['machine']}\n"}


def filled(document: str, figures: Figures, price: Price) -> str:
    """The document with its tables made anew. Raises BenchmarkError: where its markers are not those of the tables."""
    texts = sections(figures, price)
    found = [match["name"] for match in _SECTION.finditer(document)]
    if sorted(found) != sorted(texts):
        raise BenchmarkError(
            f"the document has markers for {sorted(found)}; it must have one pair each for {sorted(texts)}"
        )
    return _SECTION.sub(lambda match: f"{match[1]}{texts[match['name']]}{match[3]}", document)
