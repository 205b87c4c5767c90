"""Which workers there are: each says in the job store, every few seconds, what it serves and how busy it was."""

import dataclasses
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from workers.redis_client import PREFIX, RedisClient, translated_errors

SAY_SECONDS: Final = 5.0
MISSING_SECONDS: Final = 20.0
"""Without a word for so long, a worker counts as gone."""
_FORGOTTEN_SECONDS: Final = 600.0
_AT_ONCE: Final = 100
_KEY: Final = f"{PREFIX}workers"
_SEEN: Final = f"{PREFIX}seen"


class Presence(StrEnum):
    """What a worker is at."""

    BUSY = "busy"
    IDLE = "idle"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCounts:
    """What a worker has done since its start."""

    busy_seconds: float = 0.0
    """In which its engine computed."""
    pictures: int = 0
    pixels: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """A worker, by its own last words. Times are Unix times in seconds, by the clock of Redis."""

    name: str
    device: str
    engine: str
    models: tuple[str, ...]
    started: float
    seen: float
    busy_share: float
    """Of the time since the words before; 1 is a device that never waits."""
    counts: WorkerCounts
    presence: Presence

    def to_json(self) -> str:
        """The text that the job store keeps."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str, *, now: float) -> Self:
        """Read what `to_json` wrote; whoever said nothing for `MISSING_SECONDS` is gone.

        Raises `ValueError`, `KeyError` or `TypeError` for what a worker of another version wrote.
        """
        values: dict[str, Any] = json.loads(text)
        is_gone = now - values["seen"] > MISSING_SECONDS
        return cls(
            **{
                **values,
                "models": tuple(values["models"]),
                "counts": WorkerCounts(**values["counts"]),
                "presence": Presence.GONE if is_gone else Presence(values["presence"]),
            }
        )


_UNREADABLE: Final = (ValueError, KeyError, TypeError)


def read_workers(client: RedisClient) -> list[WorkerView]:
    """Those that said something in the last ten minutes, by name; without those of versions that speak otherwise.

    Raises `QueueUnavailableError`.
    """
    with translated_errors():
        now = _now(client)
        rows = client.hgetall(_KEY)
    views = []
    for _, text in sorted(rows.items()):
        with suppress(*_UNREADABLE):
            views.append(WorkerView.from_json(text, now=now))
    return [view for view in views if now - view.seen <= _FORGOTTEN_SECONDS]


class PresenceWriter:
    """Says that one worker is there. `counts` tells what it has done, `models` what it serves just now,
    `device` what computes.
    """

    def __init__(
        self,
        client: RedisClient,
        *,
        worker: str,
        device: Callable[[], str],
        engine: str,
        models: Callable[[], tuple[str, ...]],
        counts: Callable[[], WorkerCounts],
    ) -> None:
        self._client = client
        self._worker = worker
        self._device = device
        self._engine = engine
        self._models = models
        self._counts = counts
        self._started: float | None = None
        self._before = (time.monotonic(), WorkerCounts())

    def say(self) -> None:
        """Write what is so now, and forget workers of which nothing was heard for long.

        Raises `QueueUnavailableError`.
        """
        counts, moment = self._counts(), time.monotonic()
        then, before = self._before
        busy_share = min(1.0, (counts.busy_seconds - before.busy_seconds) / max(moment - then, 1e-3))
        with translated_errors():
            now = _now(self._client)
            self._started = self._started or now
            view = WorkerView(
                name=self._worker,
                device=self._device(),
                engine=self._engine,
                models=self._models(),
                started=self._started,
                seen=now,
                busy_share=busy_share,
                counts=counts,
                presence=Presence.BUSY if busy_share > 0 else Presence.IDLE,
            )
            self._client.hset(_KEY, mapping={self._worker: view.to_json()})
            self._client.zadd(_SEEN, {self._worker: now})
            # By time, since to read what all of them said would cost each of many workers more than its pictures.
            self._forget(*self._client.zrangebyscore(_SEEN, "-inf", now - _FORGOTTEN_SECONDS, start=0, num=_AT_ONCE))
        self._before = (moment, counts)

    def leave(self) -> None:
        """Be no longer listed, at an orderly end. Raises `QueueUnavailableError`."""
        with translated_errors():
            self._forget(self._worker)

    def _forget(self, *names: str) -> None:
        for name in names:
            self._client.hdel(_KEY, name)
            self._client.zrem(_SEEN, name)


def _now(client: RedisClient) -> float:
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6
