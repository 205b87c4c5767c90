"""How an engine computes."""

from dataclasses import dataclass

from spade.config import Precision
from spade.errors import ConfigError

MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """How an engine computes; none of it but `precision` changes a picture by more than rounding.

    Raises ConfigError: where a number is out of range.
    """

    precision: Precision = Precision.FLOAT32
    """Of weights and activations; instance statistics are float32 always."""
    compile: bool = False
    """Whether torch.compile fuses modulation: on a CPU it needs a C++ compiler, and the first picture waits for it."""
    table_bytes: int = 64 * MEBIBYTE
    """Of the table of one layer; one that would be larger is made anew for each picture, on a CPU strip by strip."""
    cache_bytes: int = 128 * MEBIBYTE
    """Of all tables that are kept for more pictures of the same maps; 0 keeps none."""

    def __post_init__(self) -> None:
        if self.table_bytes < 1:
            raise ConfigError(f"engine: table_bytes is {self.table_bytes}; it must be at least 1")
        if self.cache_bytes < 0:
            raise ConfigError(f"engine: cache_bytes is {self.cache_bytes}; it must not be negative")
