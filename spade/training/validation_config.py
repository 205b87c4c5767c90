"""How a run is held against validation samples while it goes on, and how that went so far."""

import math
from dataclasses import dataclass, replace
from typing import Self

from spade.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationConfig:
    """Looks at pictures of the validation samples; the better the lower FID by the segmenter's features.

    mIoU and pixel accuracy are told too, but they say little once they are near those of the photographs.

    Raises ConfigError: where the segmenter has no name, or a number is too small.
    """

    segmenter: str
    """A file of `spade train-segmenter` for the classes of the dataset."""
    interval: int = 5000
    """Pictures that are learned from between two looks."""
    samples: int = 100
    """The first so many of the validation samples: as many as take seconds, since all processes wait for the first one,
    which looks at them, and none stops meanwhile."""
    patience: int | None = None
    """The run is over after so many looks in a row that were not better than the best; None: it goes on."""

    def __post_init__(self) -> None:
        if not self.segmenter:
            raise ConfigError("validation: segmenter is '', no name of a file; name one of spade train-segmenter")
        for name, least in (("interval", 1), ("samples", 2), ("patience", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"validation: {name} is {value}; it must be at least {least}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the looks so far came to."""

    best: float | None = None
    """The lowest FID by the segmenter's features."""
    worse_looks: int = 0
    """Since then."""
    pictures: int = 0
    """That were learned from before the last look."""
    terms: str = ""
    """Of the looks, as `Validation.terms` has them: others cannot be compared with these."""

    def under(self, terms: str) -> Self:
        """The standing where looks are made under `terms`: this one, or a new one where they are others."""
        return self if self.terms == terms else type(self)(terms=terms)

    def after(self, distance: float, *, pictures: int) -> Self:
        """The standing after a look that came to `distance`; one that is no finite number is never the best."""
        is_best = math.isfinite(distance) and (self.best is None or distance < self.best)
        return replace(
            self,
            best=distance if is_best else self.best,
            worse_looks=0 if is_best else self.worse_looks + 1,
            pictures=pictures,
        )

    def is_met_by(self, best: Self) -> bool:
        """Whether the state that had come to `best` is the best of these looks, or of those that went on from them."""
        return best.best is not None and best.terms == self.terms and (self.best is None or best.best <= self.best)

    @property
    def is_best(self) -> bool:
        """Whether the last look was the best one."""
        return self.best is not None and not self.worse_looks

    def is_over(self, config: ValidationConfig | None) -> bool:
        """Whether patience has come to its end."""
        return config is not None and config.patience is not None and self.worse_looks >= config.patience
