"""Settings of traces, which are off unless somebody says where they go."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from workers.errors import SettingsError

_NEEDED: Final = "opentelemetry.exporter.otlp.proto.http"
URL: Final = re.compile(r"https?://[^\s/?#@\[\]]+(/[^\s?#]*)?")
"""Of another server, without a user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSettings:
    """Where spans go, and of which share of the traces that begin here. Raises `SettingsError`."""

    endpoint: str = ""  # base URL of a receiver of OTLP over HTTP, below which /v1/traces is; empty: no traces
    ratio: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.ratio <= 1:
            raise SettingsError(f"SPADE_TRACES_RATIO is {self.ratio}; it must be 0 to 1")
        if not self.endpoint:
            return
        if not URL.fullmatch(self.endpoint):
            raise SettingsError(
                f"SPADE_TRACES_ENDPOINT is {without_user(self.endpoint)!r}; "
                "it must be like http://127.0.0.1:4318, without a user"
            )
        if not _is_there(_NEEDED):
            raise SettingsError(
                "SPADE_TRACES_ENDPOINT is set and OpenTelemetry is not installed; install the extra [traces], or leave "
                "the variable empty"
            )


def without_user(url: str) -> str:
    """As it may be told; a user's password is nobody's business."""
    return re.sub(r"//[^/]*@", "//...@", url)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what is above it
        return False
