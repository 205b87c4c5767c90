"""Tables of the load benchmark, for terminals and for BENCHMARKS.md."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

LATENCY_COLUMNS: Final = ("clients", "accepted", "a second", "p50 ms", "p99 ms", "longest ms", "other answers")
FACT_COLUMNS: Final = ("figure", "value")

TitledTable = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def load_tables(figures: Mapping[str, Any]) -> Iterator[TitledTable]:
    """Titles, columns and rows, of the figures as JSON has them."""
    yield "Jobs of one label map", LATENCY_COLUMNS, [_latency_row(row) for row in figures["latencies"]]
    full, memory = dict(figures["full"]), figures["memory"]
    full["other_answers"] = _shown(full["other_answers"])
    yield "A full queue", FACT_COLUMNS, _facts(full)
    yield "Memory while items pass through", FACT_COLUMNS, _facts(memory)


def _latency_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(row["clients"]),
        str(row["accepted"]),
        f"{row['accepted_per_second']:.0f}",
        *(f"{row[name]:.0f}" for name in ("p50_ms", "p99_ms", "longest_ms")),
        _shown(row["other_answers"]),
    )


def _facts(figures: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(name.replace("_", " "), _shown(value)) for name, value in figures.items()]


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{count} x {name}" for name, count in value.items()) or "none"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
