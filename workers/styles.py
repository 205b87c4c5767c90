"""Which style all pictures of a job take."""

from dataclasses import dataclass
from typing import Any, Self

from model_store.chosen_style import ChosenStyle


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A style preset of the model, a blend of two (`weight` 0 is the first, 1 the second), or that of a picture."""

    first: str | None = None
    second: str | None = None
    weight: float = 0.0
    picture_key: str | None = None
    picture_sha256: str | None = None

    @property
    def chosen(self) -> ChosenStyle:
        """The same for an engine, which knows a picture by its key."""
        return ChosenStyle(first=self.first, second=self.second, weight=self.weight, picture=self.picture_key)

    @classmethod
    def from_values(cls, values: dict[str, Any] | None) -> Self | None:
        """Read what `dataclasses.asdict` made."""
        return None if values is None else cls(**values)
