"""Metrics and looks at validation samples as JSON lines, which any program can read while the run goes on."""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spade.files import written_whole
from spade.training.listeners import Listener, Look, Metrics, RunFacts

FILE_NAME = "metrics.jsonl"
LOOKS_NAME = "validation.jsonl"


class MetricsLog(Listener):
    """Appends to `metrics.jsonl` in the run's folder, and where it is validated to `validation.jsonl`.

    A run that goes on from a checkpoint takes out the lines that were written after it: it computes them again. So it
    does with a look of which that checkpoint does not know, as it was saved before; there is one look a step.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._looks_path = folder / FILE_NAME, folder / LOOKS_NAME

    def started(self, facts: RunFacts) -> None:
        _write(self._path, _lines_until(self._path, facts.start_step))
        if facts.config.validation is not None or self._looks_path.exists():
            _write(self._looks_path, _lines_until(self._looks_path, facts.start_step))

    def measured(self, metrics: Metrics) -> None:
        _append(self._path, metrics.to_dict())

    def validated(self, look: Look) -> None:
        _write(self._looks_path, [*_lines_until(self._looks_path, look.step - 1), look.to_dict()])


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl` or `validation.jsonl`, none where there is no file.

    A line that a killed process left unfinished is passed over, and one that a power cut spoilt: they are appended
    without waiting for the disk.
    """
    if not path.exists():
        return []
    *whole, _unfinished = path.read_bytes().split(b"\n")
    return [values for line in whole if (values := _parsed(line)) is not None]


def _lines_until(path: Path, last_step: int) -> list[dict[str, Any]]:
    return [line for line in read_metrics(path) if line["step"] <= last_step]


def _write(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    with written_whole(path) as partial:  # durable, since it takes the place of all lines so far
        partial.write_text("".join(_line(line) for line in lines), encoding="utf-8")


def _append(path: Path, values: dict[str, Any]) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(_line(values))
    except OSError as error:
        error.filename = str(path)  # which a full disk does not tell
        raise


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
