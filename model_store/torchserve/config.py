"""How a model is served by TorchServe. Light: needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from spade.config import Precision
from spade.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendConfig:
    """What a backend, a process of TorchServe's that holds one model, computes with."""

    device: str = "auto"
    threads: int = 0
    """CPU threads; 0: as many as the process may use CPUs."""
    precision: Precision = Precision.FLOAT32
    compile: bool = False
    """Fuse parts of the engine by torch.compile."""
    cache_bytes: int = 128 * 2**20
    """Kept for more pictures of the same label maps."""

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_values` made. Raises ConfigError."""
        try:
            return cls(**{**values, "precision": Precision(values["precision"])})
        except (TypeError, ValueError, KeyError) as error:
            raise ConfigError(f"model-config.yaml: its section handler cannot be used: {error}") from error

    def to_values(self) -> dict[str, str | int | bool]:
        """As plain values."""
        return {
            "device": self.device,
            "threads": self.threads,
            "precision": self.precision.value,
            "compile": self.compile,
            "cache_bytes": self.cache_bytes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveConfig:
    """What an archive tells TorchServe about its model. Raises ConfigError."""

    batch_items: int = 8
    """Requests that go to the backend at once, at most."""
    batch_delay_ms: int = 20
    """How long an incomplete batch waits for more of them."""
    response_seconds: int = 120
    """A backend that takes longer over a batch is killed and started again."""
    startup_seconds: int = 300
    """A backend has to be ready by then; it may have to draw weights first."""
    backend: BackendConfig = BackendConfig()

    def __post_init__(self) -> None:
        for name in ("batch_items", "batch_delay_ms", "response_seconds", "startup_seconds"):
            if getattr(self, name) < 1:
                raise ConfigError(f"archive: {name} is {getattr(self, name)}; it must be 1 or more")
