"""What a bulk job has in place of items: how many label maps, and how they are read."""

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class MapReading:
    """How label maps are read that are still as the client stored them: colours by a named palette or a CSV file."""

    palette: str | None = None
    palette_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkInputs:
    """The label maps of a bulk job. They stay where the client put them; `workers.bulk` lists them."""

    maps: int
    variations: int
    seed: int  # of the first variation of every map
    reading: MapReading = MapReading()

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Self:
        """Read what `dataclasses.asdict` made."""
        return cls(**{**values, "reading": MapReading(**values["reading"])})
