"""The page that shows a run: how its losses went, what its pictures look like, what it was told to do."""

import base64
import io
import math
import time
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image

from spade.data.config import DatasetConfig
from spade.files import written_whole
from spade.pages.page import LegendEntry, figure, page
from spade.records import record_to_mapping
from spade.training.curves import curve
from spade.training.listeners import Listener, Look, Metrics, RunFacts
from spade.training.metrics_log import FILE_NAME, LOOKS_NAME, read_metrics
from spade.training.samples import colors_of
from spade.training.toml_files import to_toml
from spade.training.validation import DISTANCE

PAGE_NAME = "index.html"
_REFRESH_SECONDS = 20
_POINTS = 300
"""Of a curve; more could not be told apart."""
_QUALITY = 88
_SHEETS = 12
"""Shown on the page, the newest; all of them stay in their folder."""


class ReportPage(Listener):
    """Keeps `index.html` in the run's folder up to date; it loads itself again while the run goes on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._facts: RunFacts | None = None
        self._lines: list[dict[str, Any]] = []
        self._looks: list[dict[str, Any]] = []
        self._best_is_kept = False
        self._checkpoint = "none yet"
        self._status = "running"
        self._written = -math.inf

    def started(self, facts: RunFacts) -> None:
        self._facts = facts
        self._lines, self._looks = (
            [line for line in read_metrics(self._folder / name) if line["step"] <= facts.start_step]
            for name in (FILE_NAME, LOOKS_NAME)
        )
        self._best_is_kept = facts.best_is_kept
        self._checkpoint = facts.resumed_from or self._checkpoint
        self._write()

    def measured(self, metrics: Metrics) -> None:
        self._lines.append(metrics.to_dict())
        if time.monotonic() - self._written > _REFRESH_SECONDS:
            self._write()

    def validated(self, look: Look) -> None:
        self._looks = [*(line for line in self._looks if line["step"] < look.step), look.to_dict()]
        self._best_is_kept |= look.best
        self._write()

    def saved(self, place: str) -> None:
        self._checkpoint = place

    def sampled(self, sheet: Path) -> None:  # noqa: ARG002 - the page shows what lies in the folder
        self._write()

    def ended(self, how: str) -> None:
        self._status = how
        if self._facts is not None:
            self._write()

    def _write(self) -> None:
        assert self._facts is not None
        config = self._facts.config
        sections = [
            _section("Losses", "curves", _curves(self._lines, "losses")),
            *([_section("Validation", "curves", _curves(self._looks, "metrics"))] if config.validation else []),
            _section("Samples", "sheets", _sheets(self._folder / "samples")),
            f"<details><summary>Configuration</summary><pre>{escape(to_toml(record_to_mapping(config)))}</pre></details>",
        ]
        whole = page(
            f"Training of {self._folder.resolve().name}",
            "<main>\n" + "\n".join(sections) + "\n</main>",
            facts=self._summary(self._facts),
            legend=_legend(config.dataset),
            style=(files("spade.training") / "report.css").read_text(encoding="utf-8"),
            refresh_seconds=_REFRESH_SECONDS if self._status == "running" else None,
        )
        with written_whole(self._folder / PAGE_NAME, durable=False) as partial:
            partial.write_text(whole, encoding="utf-8")
        self._written = time.monotonic()

    def _summary(self, facts: RunFacts) -> dict[str, str]:
        config = facts.config
        processes = f"{facts.processes} process{'es' if facts.processes > 1 else ''}"
        summary = {
            "Status": self._status,
            "Dataset": f"{f'{config.dataset.mode} {config.dataset.root}'.strip()}, {facts.samples} samples",
            "Batch size": f"{config.batch_size} on {processes} ({facts.device})",
            "Last checkpoint": self._checkpoint,
        }
        best = next((look for look in reversed(self._looks) if look["best"]), None)
        if best is not None:
            place = ", in best.pt" if self._best_is_kept else ""
            summary["Best look"] = f"{DISTANCE} {best['metrics'][DISTANCE]:.4g} after step {best['step']}{place}"
        if config.start is not None:
            summary["Started from"] = config.start.weights
        if self._lines:
            last = self._lines[-1]
            summary |= {
                "Progress": f"epoch {last['epoch']} of {config.schedule.total}, step {last['step']} "
                f"of {facts.total_steps}, {last['pictures']} pictures",
                "Time": _duration(last["seconds"]),
                "Speed": f"{last['images_per_second']:.2f} images/s, {last['step_seconds']:.3f} s a step",
                "Memory": f"{last['memory_bytes'] / 2**30:.2f} GiB at most",
                "Learning rates": ", ".join(f"{name} {rate:.3g}" for name, rate in last["learning_rates"].items()),
            }
        return summary


def _curves(lines: Sequence[dict[str, Any]], kind: str) -> list[str]:
    """A curve for each number of `kind` in the lines over pictures, every point the mean of as many lines."""
    names = dict.fromkeys(name for line in lines for name in line[kind])
    drawings = []
    for name in names:
        points = [(line["pictures"], line[kind][name]) for line in lines if _is_number(line[kind].get(name))]
        if points:
            drawings.append(curve(name, _thinned(points), "pictures"))
    return drawings


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    width = math.ceil(len(points) / _POINTS)
    groups = [points[start : start + width] for start in range(0, len(points), width)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def _is_number(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _section(title: str, kind: str, articles: Sequence[str]) -> str:
    content = "\n".join(articles) if articles else "<p>None yet.</p>"
    return f'<h2 class="section">{title}</h2>\n<div class="{kind}">{content}</div>'


def _sheets(folder: Path) -> list[str]:
    newest = sorted(folder.glob("step-*.png"), reverse=True)[:_SHEETS]
    return [_sheet(path) for path in newest]


def _sheet(path: Path) -> str:
    """The sheet inside the page, as JPEG."""
    encoded = io.BytesIO()
    with Image.open(path) as image:
        width, height = image.size
        image.convert("RGB").save(encoded, format="JPEG", quality=_QUALITY)
    source = "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()
    caption = f"after step {int(path.stem.removeprefix('step-'))}"
    return f"<article>{figure(source, caption, alt=f'samples {caption}', width=width, height=height)}</article>"


def _legend(dataset: DatasetConfig) -> list[LegendEntry]:
    """The classes as the label maps of sample sheets show them."""
    names = dict(enumerate(dataset.class_names))
    if dataset.unknown_id is not None:
        names[dataset.unknown_id] = "unknown"
    return [
        LegendEntry(name=names.get(class_id, f"class {class_id}"), color=color)
        for class_id, color in sorted(colors_of(dataset).items())
    ]


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours} h {rest // 60:02} min {rest % 60:02} s"
