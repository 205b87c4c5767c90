"""Tables of the benchmark of both engines, for terminals and for BENCHMARKS.md."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from deploy.bench.load_report import FACT_COLUMNS, TitledTable

_COLUMNS: Final = ("pictures in flight", "engine", "pictures/s", "p50 s", "p95 s", "of the local engine's speed")
_MIB: Final = 2**20


def engines_tables(figures: Mapping[str, Any]) -> Iterator[TitledTable]:
    """Titles, columns and rows, of the figures as JSON has them."""
    rows = [_row(one, engine) for one in figures["compared"] for engine in ("local", "torchserve")]
    yield f"The model {figures['model']}, {figures['threads']} threads, {figures['rounds']} batches", _COLUMNS, rows
    facts: list[tuple[str, ...]] = [
        ("TorchServe answers after", f"{figures['torchserve_start_seconds']:.1f} s"),
        ("it has loaded the model after another", f"{figures['model_load_seconds']:.1f} s"),
        ("memory of Java", f"{figures['java_bytes'] / _MIB:.0f} MiB"),
        ("memory of the backend", f"{figures['backend_bytes'] / _MIB:.0f} MiB"),
    ]
    yield "What TorchServe takes besides", FACT_COLUMNS, facts


def _row(one: Mapping[str, Any], engine: str) -> tuple[str, ...]:
    served = one[engine]
    return (
        str(one["concurrency"]),
        engine,
        f"{served['pictures_per_second']:.1f}",
        f"{served['p50_seconds']:.3f}",
        f"{served['p95_seconds']:.3f}",
        f"{one['speed']:.0%}" if engine == "torchserve" else "",
    )
