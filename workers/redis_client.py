"""The connection to Redis. Replies are text (`decode_responses`), which redis-py's own annotations do not express."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Literal, Protocol, cast, overload

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    ClusterDownError,
    InvalidResponse,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from workers.errors import QueueUnavailableError

PREFIX: Final = "{spade}:"
"""Before every key of the job store. The hash tag keeps all of them in one slot of a cluster."""

_AWAY: Final = (RedisConnectionError, RedisTimeoutError, InvalidResponse)
_REFUSALS: Final = (ReadOnlyError, OutOfMemoryError, ClusterDownError, TryAgainError)
_OTHER_REFUSALS: Final = ("MISCONF", "BUSY", "NOREPLICAS")
"""Refusals that redis-py has no class for begin with these words; of the others it removes the word."""


class Script(Protocol):
    """A script that the server knows by its digest."""

    def __call__(self, *, keys: list[str], args: list[str | int | float]) -> Any: ...  # noqa: ANN401 - the shape is the script's


class PubSub(Protocol):
    """A connection that hears what is published."""

    def subscribe(self, *channels: str) -> None: ...
    def get_message(self, *, timeout: float) -> dict[str, Any] | None: ...


class Commands(Protocol):
    """The commands that the job store uses, with the types of text replies."""

    def exists(self, *names: str) -> int: ...
    def get(self, name: str, /) -> str | None: ...
    def hget(self, name: str, key: str, /) -> str | None: ...
    def hgetall(self, name: str, /) -> dict[str, str]: ...
    def lrange(self, name: str, start: int, end: int, /) -> list[str]: ...
    def llen(self, name: str, /) -> int: ...
    def smembers(self, name: str, /) -> set[str]: ...
    def time(self) -> tuple[int, int]: ...
    def zcard(self, name: str, /) -> int: ...
    def zcount(self, name: str, low: float | str, high: float | str, /) -> int: ...
    @overload
    def zrange(self, name: str, start: int, end: int, /) -> list[str]: ...
    @overload
    def zrange(self, name: str, start: int, end: int, /, *, withscores: Literal[True]) -> list[tuple[str, float]]: ...
    def zrangebyscore(
        self, name: str, low: float | str, high: float | str, /, *, start: int, num: int
    ) -> list[str]: ...
    def zscore(self, name: str, value: str, /) -> float | None: ...


class Pipeline(Commands, Protocol):
    """Commands that are sent together; their answers come from `execute`."""

    def execute(self) -> list[Any]: ...


class RedisClient(Commands, Protocol):
    """A connection pool to one Redis, shared between threads."""

    def ping(self) -> bool: ...
    def blpop(self, name: str, /, *, timeout: float) -> tuple[str, str] | None: ...
    def rpush(self, name: str, value: str, /) -> int: ...
    def hset(self, name: str, /, *, mapping: Mapping[str, str]) -> int: ...
    def hdel(self, name: str, /, *keys: str) -> int: ...
    def info(self, section: str, /) -> dict[str, Any]: ...
    def zadd(self, name: str, mapping: Mapping[str, float], /, *, xx: bool = False) -> int: ...
    def zrem(self, name: str, value: str, /) -> int: ...
    def zrevrangebyscore(
        self, name: str, high: float | str, low: float | str, /, *, start: int, num: int, withscores: bool
    ) -> list[tuple[str, float]]: ...
    def pipeline(self, *, transaction: bool) -> Pipeline: ...
    def pubsub(self) -> AbstractContextManager[PubSub]: ...
    def register_script(self, script: str, /) -> Script: ...
    def close(self) -> None: ...


def connect(url: str) -> RedisClient:
    """A client that answers within seconds whether or not the server does. Connects on first use."""
    return _connect(url, seconds=10.0, retries=2)


def connect_to_watch(url: str) -> RedisClient:
    """The same for probes and figures, which had better fail soon than come late."""
    return _connect(url, seconds=1.5, retries=0)


def _connect(url: str, *, seconds: float, retries: int) -> RedisClient:
    client = redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=seconds,
        socket_connect_timeout=min(seconds, 2.0),
        health_check_interval=15,
        retry=Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.02), retries=retries),
    )
    return cast(RedisClient, client)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn "Redis is away" into our own error; a mistake in a script stays what it is."""
    try:
        yield
    except _AWAY as error:
        raise QueueUnavailableError(f"Redis does not answer: {error}") from error
    except _REFUSALS as error:
        raise QueueUnavailableError(f"Redis refuses work: {type(error).__name__}: {error}") from error
    except ResponseError as error:
        if str(error).startswith(_OTHER_REFUSALS):
            raise QueueUnavailableError(f"Redis refuses work: {error}") from error
        raise


def read_info(client: RedisClient, section: str) -> dict[str, Any]:
    """What the server tells of itself; nothing where we may not ask."""
    try:
        return client.info(section)
    except ResponseError:
        return {}
