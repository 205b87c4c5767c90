"""How long Redis itself is busy: with each call of a script, by its own log, and in all, by its processor time."""

import hashlib
from collections import defaultdict
from typing import Any, Final

import redis

from deploy.bench.simulated_time import in_simulated_time
from workers.scripts import script_text

_KEPT: Final = 4096
"""Entries that Redis keeps of its log."""


class ScriptTimes:
    """Watches calls of the named scripts, in simulated time, on one Redis."""

    def __init__(self, url: str, *names: str) -> None:
        self._client: Any = redis.Redis.from_url(url)
        self._names = {_digest(name): name for name in names}
        self._microseconds: dict[str, list[int]] = defaultdict(list)
        self._client.config_set("slowlog-max-len", _KEPT)
        self._client.config_set("slowlog-log-slower-than", 0)
        self._client.slowlog_reset()
        self._began = self._processor_seconds()

    def note(self) -> None:
        """Take over what Redis has logged since. It keeps the last four thousand commands."""
        for entry in self._client.slowlog_get(_KEPT):
            command, _, rest = entry["command"].partition(b" ")
            name = self._names.get(rest[:40].decode()) if command.upper() == b"EVALSHA" else None
            if name is not None:
                self._microseconds[name].append(entry["duration"])
        self._client.slowlog_reset()

    def microseconds(self, name: str) -> list[int]:
        """Of every noted call of a script, inside Redis: without the way there and back."""
        return self._microseconds[name]

    def processor_seconds(self) -> float:
        """Of Redis' main thread since this began to watch, reading and answering included."""
        return self._processor_seconds() - self._began

    def _processor_seconds(self) -> float:
        info = self._client.info("cpu")
        return float(info["used_cpu_user_main_thread"] + info["used_cpu_sys_main_thread"])


def _digest(name: str) -> str:
    return hashlib.sha1(in_simulated_time(script_text(name)).encode()).hexdigest()  # noqa: S324 - as EVALSHA has it
