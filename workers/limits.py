"""How much one key may do: requests in a time, open items and pixels, stored bytes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from workers.errors import KeySettingsError
from workers.scripts import Scripts

_SECONDS: Final = {"s": 1, "min": 60, "h": 3600}
_RATE: Final = re.compile(rf"([1-9]\d{{0,8}})/({'|'.join(_SECONDS)})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many requests in so many seconds; all of them may come at once, and then as many as have trickled in."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10/s`, `100/min` or `5000/h`. Raises `KeySettingsError`."""
        match = _RATE.fullmatch(text)
        if match is None:
            raise KeySettingsError(f"the rate is {text!r}; it must be requests in a time, like 10/s, 100/min or 5000/h")
        return cls(requests=int(match[1]), seconds=_SECONDS[match[2]])

    def __str__(self) -> str:
        units = {seconds: unit for unit, seconds in _SECONDS.items()}
        return f"{self.requests}/{units[self.seconds]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """Limits of one key; None leaves the service's own. Raises `KeySettingsError`."""

    rate: Rate | None = None
    max_items: int | None = None  # open at one time, of all the owner's jobs
    max_pixels: int | None = None
    storage_bytes: int | None = None  # of inputs and pictures of all the owner's jobs that are kept

    def __post_init__(self) -> None:
        for name in ("max_items", "max_pixels", "storage_bytes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise KeySettingsError(f"{name} is {value}; it must be 1 or more")

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` made. Raises TypeError or KeyError for anything else."""
        rate = values["rate"]
        return cls(**{**values, "rate": None if rate is None else Rate(**rate)})


NO_LIMITS: Final = KeyLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    """Where a key stands after a request. Times are seconds, rounded up."""

    rate: Rate
    allowed: bool
    remaining: int  # requests that may come at once now
    retry_seconds: int  # until the next one is allowed; 0 where it is already
    reset_seconds: int  # until as many are allowed as ever


class RateLimiter:
    """Counts requests of all API processes together, on Redis's clock."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def take(self, key_id: str, rate: Rate) -> RateState:
        """Count a request of a key, unless it is one too many. Raises `QueueUnavailableError`."""
        allowed, remaining, retry_us, reset_us = self._scripts.run("limit", key_id, rate.requests, rate.seconds)
        return RateState(
            rate=rate,
            allowed=bool(allowed),
            remaining=remaining,
            retry_seconds=_seconds(retry_us),
            reset_seconds=_seconds(reset_us),
        )


def _seconds(microseconds: int) -> int:
    return -(-microseconds // 1_000_000)
