"""Where the TorchServe is that makes a worker's pictures."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.errors import SettingsError

_URL: Final = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+/?")
DEFAULT_TIMEOUT_SECONDS: Final = 150.0
"""A little more than our archives let TorchServe wait for a backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchServeSettings:
    """Address of its inference API, and the file of keys that it writes whenever it starts. Raises `SettingsError`."""

    url: str
    key_file: Path
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS  # of one picture, waiting for its turn included
    missing_seconds: float = 60.0  # it may take that long until it has a model that was added just now

    def __post_init__(self) -> None:
        if not _URL.fullmatch(self.url):
            raise SettingsError(f"the address of TorchServe is {self.url!r}; it must be like http://127.0.0.1:8080")
        if not 0 < self.timeout_seconds < math.inf:
            raise SettingsError(f"timeout_seconds of TorchServe is {self.timeout_seconds}; it must be above 0")
