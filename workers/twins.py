"""An identical item whose picture is there already."""

import json
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """The picture of an identical item, which need not be computed again."""

    picture_key: str
    digest: str
    size_bytes: int

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """Read what parking.lua wrote; None for an item that has no twin, whose text is empty."""
        if not text:
            return None
        picture_key, digest, size_bytes = json.loads(text)
        return cls(picture_key=picture_key, digest=digest, size_bytes=size_bytes)
