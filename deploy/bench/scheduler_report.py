"""Tables of the simulated scheduler, for terminals and for k8s/SCALING.md."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from deploy.bench.load_report import TitledTable

Row = Mapping[str, Any]

_RATES: Final[Mapping[str, Callable[[Row], str]]] = {
    "workers": lambda row: f"{row['workers']:,}",
    "simulated s": lambda row: f"{row['simulated_seconds']:.3g}",
    "pictures/s": lambda row: f"{row['pictures_per_second']:,.0f}",
    "claims/s": lambda row: f"{row['claims_per_second']:,.0f}",
    "claim p50 µs": lambda row: f"{row['claim_p50_us']:,.0f}",
    "claim p99 µs": lambda row: f"{row['claim_p99_us']:,.0f}",
    "µs of Redis a picture": lambda row: f"{row['redis_us_per_picture']:,.0f}",
    "pictures/s that fill one core": lambda row: f"{1e6 / row['redis_us_per_picture']:,.0f}",
    "cores of Redis": lambda row: f"{row['redis_cores']:,.1f}",
}
_FAIRNESS: Final[Mapping[str, Callable[[Row], str]]] = {
    "workers": lambda row: f"{row['workers']:,}",
    "owners": lambda row: f"{row['owners']:,}",
    "urgent waits p50, p99 ms": lambda row: (
        f"{1000 * row['urgent_wait_p50_seconds']:.2g}, {1000 * row['urgent_wait_p99_seconds']:.2g}"
    ),
    "small owners wait p99 ms": lambda row: f"{1000 * row['small_wait_p99_seconds']:.2g}",
    "least of the fair share": lambda row: f"{row['smallest_share']:.3f}",
    "bulk owner's": lambda row: f"{row['bulk_share']:.3f}",
    "Jain's index": lambda row: f"{row['jain_index']:.4f}",
    "accepted": lambda row: f"{row['accepted_items']:,}",
    "lost attempts": lambda row: f"{row['lost_attempts']:,}",
    "refused, late": lambda row: f"{row['refused_late']:,}",
    "items lost": lambda row: f"{row['items_lost']:,}",
}


def scheduler_tables(figures: Mapping[str, Any]) -> Iterator[TitledTable]:
    """Titles, columns and rows, of the figures as JSON has them."""
    speed = f"{figures['worker_pictures_per_second']:.3g} pictures/s each, batches of {figures['batch_items']}"
    yield f"Workers of {speed}", tuple(_RATES), _rows(_RATES, figures["rows"])
    yield "Fairness and losses", tuple(_FAIRNESS), _rows(_FAIRNESS, figures["rows"])


def _rows(shown: Mapping[str, Callable[[Row], str]], rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [tuple(show(row) for show in shown.values()) for row in rows]
