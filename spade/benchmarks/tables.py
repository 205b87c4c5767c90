"""Figures of benchmarks as rows of text, for the terminal and for BENCHMARKS.md. Needs no torch.

Figures are mappings, as `--json` prints them.
"""

from collections.abc import Mapping
from typing import Any, Final

Rows = list[tuple[str, ...]]

ENGINE_COLUMNS: Final = ("map", "plain s", "new map s", "variation s", "new map", "variation", "off by")
TRAINING_COLUMNS: Final = ("path", "seconds", "pictures/s", "peak memory")


def engine_rows(figures: Mapping[str, Any]) -> Rows:
    """A row of ENGINE_COLUMNS for each map of EngineFigures."""
    return [
        (
            one["name"],
            *(f"{one[f'{kind}_seconds']:.3f}" for kind in ("plain", "cold", "variation")),
            *(f"{one[f'{kind}_speedup']:.2f}x" for kind in ("cold", "variation")),
            f"{one['largest_difference']:.1e}",
        )
        for one in figures["maps"]
    ]


def training_rows(figures: Mapping[str, Any]) -> Rows:
    """A row of TRAINING_COLUMNS for each path of TrainingFigures."""
    return [
        (
            name,
            f"{path['seconds']:.2f}",
            f"{path['pictures_per_second']:.3f}",
            f"{path['peak_memory_bytes'] / 2**30:.2f} GiB",
        )
        for name, path in figures["paths"].items()
    ]
