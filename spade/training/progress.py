"""How a run gets on, for a person at a terminal or for a log file."""

import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from spade.data.config import DatasetConfig
from spade.semantics_form import reads_pictures
from spade.training.listeners import Listener, Look, Metrics, RunFacts


class ProgressReport(Listener):
    """A bar that keeps itself up to date on a terminal; elsewhere a line for each metrics."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: _Bar | None = None
        self._task = TaskID(0)
        self._facts: RunFacts | None = None
        self._latest: Metrics | None = None
        self._rate = 0.0

    def started(self, facts: RunFacts) -> None:
        self._facts = facts
        for line in introduction(facts):
            self._console.print(escape(line), highlight=False, soft_wrap=True)
        if self._console.is_terminal:
            columns = BarColumn(bar_width=None), TextColumn("{task.description}")
            self._bar = _Bar(*columns, console=self._console, expand=True)
            self._task = self._bar.add_task("first step …", total=self._total_pictures)
            self._bar.start()

    def stepped(self, pictures: int, seconds: float) -> None:
        assert self._facts is not None
        rate = self._facts.config.batch_size / max(seconds, 1e-9)
        self._rate = rate if not self._rate else 0.95 * self._rate + 0.05 * rate
        if self._bar is not None:
            self._bar.update(self._task, completed=pictures, description=self._description(pictures))

    def measured(self, metrics: Metrics) -> None:
        self._latest = metrics
        if self._bar is not None:
            self._bar.losses = _losses(metrics)
        else:
            self._console.print(
                f"epoch {metrics.epoch} step {metrics.step} pictures {metrics.pictures} "
                f"{metrics.images_per_second:.2f} images/s {_gibibytes(metrics)} "
                f"ETA {self._eta(metrics.pictures, metrics.images_per_second)} {_losses(metrics)}",
                highlight=False,
                soft_wrap=True,
            )

    def validated(self, look: Look) -> None:
        values = " ".join(f"{name} {value:.4g}" for name, value in look.metrics.items())
        best = ", the best so far" if look.best else ""
        self._console.print(f"validation at {look.pictures} pictures: {values}{best}", highlight=False, soft_wrap=True)

    def saved(self, place: str) -> None:
        self._console.print(f"checkpoint {escape(place)}", highlight=False, soft_wrap=True)

    def sampled(self, sheet: Path) -> None:
        self._console.print(f"samples {escape(str(sheet))}", highlight=False, soft_wrap=True)

    def ended(self, how: str) -> None:
        if self._bar is not None:
            self._bar.stop()
        # Why it failed the command says in its one line, as it does of what fails before the first step.
        self._console.print(f"training {how.partition(': ')[0]}", highlight=False, soft_wrap=True)

    @property
    def _total_pictures(self) -> int:
        assert self._facts is not None
        return self._facts.total_steps * self._facts.config.batch_size

    def _description(self, pictures: int) -> str:
        assert self._facts is not None
        schedule, metrics = self._facts.config.schedule, self._latest
        parts = [f"epoch {metrics.epoch if metrics else 1}/{schedule.total}", f"{self._rate:.2f} images/s"]
        parts.append(f"ETA {self._eta(pictures, self._rate)}")
        if metrics is not None:
            parts.append(_gibibytes(metrics))
        return "  ".join(parts)

    def _eta(self, pictures: int, rate: float) -> str:
        seconds = int((self._total_pictures - pictures) / max(rate, 1e-9))
        days, rest = divmod(seconds, 86400)
        return (f"{days}d " if days else "") + time.strftime("%H:%M:%S", time.gmtime(rest))


class _Bar(Progress):
    """A bar with the losses beneath, on as many lines as they take."""

    losses = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield Text(self.losses)


def introduction(facts: RunFacts) -> list[str]:
    """What is worth knowing before the first step."""
    config = facts.config
    perceptual = "" if config.vgg19 or not config.losses.perceptual else "; no vgg19 file is given: no perceptual loss"
    lines = [
        f"{config.dataset.mode}: {facts.samples} samples, {_classes(config.dataset)}, "
        f"{config.generator.width}x{config.generator.height}",
        f"{_count(config.schedule.total, 'epoch')}, {_count(facts.total_steps, 'step')}",
        f"batch size {config.batch_size} on {facts.processes} process{'es' if facts.processes > 1 else ''} "
        f"({facts.device}), accumulation {config.accumulation}, {config.step.precision}{perceptual}",
        f"results: {facts.folder}",
    ]
    return [*lines, *([f"goes on from {facts.resumed_from}"] if facts.resumed_from else []), *facts.notes]


def _classes(dataset: DatasetConfig) -> str:
    if reads_pictures(dataset):
        return "pictures as input"
    return _count(dataset.label_nc, "class", "classes") + (" and unknown" if dataset.dont_care else "")


def _count(number: int, one: str, more: str | None = None) -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"


def _losses(metrics: Metrics) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in metrics.losses.items())


def _gibibytes(metrics: Metrics) -> str:
    return f"{metrics.memory_bytes / 2**30:.2f} GiB"
