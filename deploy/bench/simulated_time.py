"""The job store in simulated time: its own scripts on a real Redis, but for the clock, which the caller sets."""

from typing import Any, Final, cast

from deploy.errors import BenchmarkError
from workers.redis_client import RedisClient, Script, connect

_CLOCK: Final = "redis.call('TIME')"
_SIMULATED: Final = "{ math.floor(KEYS[2] / 1000000), KEYS[2] % 1000000 }"
"""Of the same shape: seconds and microseconds. The scripts use no second key of their own."""
_EPOCH_SECONDS: Final = 2**30


class SimulatedTime:
    """What time it is for those scripts: `seconds` since the simulation began, which the caller moves on."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @property
    def microseconds(self) -> int:
        """As Redis would tell it, since 1970."""
        return round((_EPOCH_SECONDS + self.seconds) * 1e6)

    def connect(self, url: str) -> RedisClient:
        """A client whose scripts go by this clock."""
        return cast(RedisClient, _TimedClient(connect(url), self))


class _TimedScript:
    def __init__(self, script: Script, clock: SimulatedTime) -> None:
        self._script = script
        self._clock = clock

    def __call__(self, *, keys: list[str], args: list[str | int | float]) -> Any:  # noqa: ANN401 - the shape is the script's
        return self._script(keys=[*keys, str(self._clock.microseconds)], args=args)


class _TimedClient:
    """A client, but for what tells the time."""

    def __init__(self, client: RedisClient, clock: SimulatedTime) -> None:
        self._client = client
        self._clock = clock

    def register_script(self, script: str) -> _TimedScript:
        return _TimedScript(self._client.register_script(in_simulated_time(script)), self._clock)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        return getattr(self._client, name)


def in_simulated_time(script: str) -> str:
    """The script with its clock replaced by its second key. Raises BenchmarkError: where it has not just one."""
    if script.count(_CLOCK) != 1:
        raise BenchmarkError(f"the script has {script.count(_CLOCK)} times {_CLOCK}; it must be 1 to be simulated")
    return script.replace(_CLOCK, _SIMULATED)
