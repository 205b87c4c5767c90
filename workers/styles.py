"""Which style all pictures of a job take."""

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A style preset of the model, a blend of two (`weight` 0 is the first, 1 the second), or that of a picture."""

    first: str | None = None
    second: str | None = None
    weight: float = 0.0
    picture_key: str | None = None
    picture_sha256: str | None = None

    @classmethod
    def from_values(cls, values: dict[str, Any] | None) -> Self | None:
        """Read what `dataclasses.asdict` made."""
        return None if values is None else cls(**values)
