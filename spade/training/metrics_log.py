"""Metrics as JSON lines, one object each, which any program can read while the run goes on."""

import json
import math
from pathlib import Path
from typing import Any

from spade.files import written_whole
from spade.training.listeners import Listener, Metrics, RunFacts

FILE_NAME = "metrics.jsonl"


class MetricsLog(Listener):
    """Appends to `metrics.jsonl` in the run's folder.

    A run that goes on from a checkpoint takes out the lines that were written after it: it computes them again.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def started(self, facts: RunFacts) -> None:
        kept = [line for line in read_metrics(self._path) if line["step"] <= facts.start_step]
        with written_whole(self._path) as partial:  # durable, since it takes the place of all lines so far
            partial.write_text("".join(_line(line) for line in kept), encoding="utf-8")

    def measured(self, metrics: Metrics) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_line(metrics.to_dict()))
        except OSError as error:
            error.filename = str(self._path)  # which a full disk does not tell
            raise


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl`, none where there is no file.

    A line that a killed process left unfinished is passed over, and one that a power cut spoilt: they are appended
    without waiting for the disk.
    """
    if not path.exists():
        return []
    *whole, _unfinished = path.read_bytes().split(b"\n")
    return [values for line in whole if (values := _parsed(line)) is not None]


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line.decode("utf-8"))
    except ValueError:
        return None
    return values if isinstance(values, dict) and isinstance(values.get("step"), int) else None


def _line(values: dict[str, Any]) -> str:
    return json.dumps(_without_infinities(values)) + "\n"


def _without_infinities(value: Any) -> Any:  # noqa: ANN401
    """JSON has no word for numbers that are not finite; null stands in."""
    if isinstance(value, dict):
        return {key: _without_infinities(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
