"""Who is told what happens in a run: progress, logs, metrics, pages. Only the first process has listeners."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spade.training.config import TrainingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What does not change while a run goes on."""

    config: TrainingConfig
    folder: Path
    device: str
    processes: int
    samples: int
    """Of the dataset."""
    total_steps: int
    resumed_from: str | None
    """The checkpoint that it goes on from."""
    start_step: int
    """Steps and pictures behind it when it began, none but for a run that goes on."""
    start_pictures: int
    best_is_kept: bool = False
    """Whether there is a file of the state that looks before found best."""
    notes: tuple[str, ...] = ()
    """What else is worth knowing of how it began, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Means since the last metrics, and where the run stands: one line of metrics.jsonl."""

    time: float
    """Seconds since 1970, UTC."""
    epoch: int
    step: int
    pictures: int
    seconds: float
    """Of training, in all runs that led here."""
    losses: Mapping[str, float]
    learning_rates: Mapping[str, float]
    """Of `generator`, with the encoder, and `discriminator`."""
    images_per_second: float
    """Of all processes together."""
    step_seconds: float
    memory_bytes: int
    """The most that was in use: of the GPU where there is one, otherwise of the process."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at validation samples came to: one line of validation.jsonl."""

    time: float
    """Seconds since 1970, UTC."""
    epoch: int
    step: int
    pictures: int
    metrics: Mapping[str, float]
    """Those of `spade evaluate` by their names: `fid_segmenter`, `miou`, `accuracy`, ..."""
    best: bool
    """Whether no look before had so low a `fid_segmenter`."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Listener:
    """Does nothing at any event; subclasses do something at some."""

    def started(self, facts: RunFacts) -> None: ...

    def stepped(self, pictures: int, seconds: float) -> None:
        """After each step, which took `seconds`; `pictures` is how many the run has learned from in all."""

    def measured(self, metrics: Metrics) -> None: ...

    def validated(self, look: Look) -> None: ...

    def saved(self, place: str) -> None: ...

    def sampled(self, sheet: Path) -> None: ...

    def ended(self, how: str) -> None:
        """`how` completes the sentence "training ..."; also after an error."""


class Listeners(Listener):
    """Passes every event on to each of `members` in turn."""

    def __init__(self, members: list[Listener]) -> None:
        self._members = members

    def started(self, facts: RunFacts) -> None:
        for member in self._members:
            member.started(facts)

    def stepped(self, pictures: int, seconds: float) -> None:
        for member in self._members:
            member.stepped(pictures, seconds)

    def measured(self, metrics: Metrics) -> None:
        for member in self._members:
            member.measured(metrics)

    def validated(self, look: Look) -> None:
        for member in self._members:
            member.validated(look)

    def saved(self, place: str) -> None:
        for member in self._members:
            member.saved(place)

    def sampled(self, sheet: Path) -> None:
        for member in self._members:
            member.sampled(sheet)

    def ended(self, how: str) -> None:
        """Every member is told, also where one before it fails, as those that write do when the disk is full."""
        with ExitStack() as stack:
            for member in reversed(self._members):
                stack.callback(member.ended, how)
