"""The transitions of the job store: Lua scripts, each of which Redis runs as one step."""

from importlib import resources
from typing import Any, Final

from workers.redis_client import PREFIX, RedisClient, translated_errors

_TAKING_IN: Final = ("submit", "fill", "restore", "retry", "reserve")
_FINISHING: Final = (
    *("claim", "advance", "commit", "give_back", "cancel", "reap", "reaper", "recorded", "forget"),
    *("audit", "balance", "recount", "limit", "webhook_take", "webhook_settle"),
)
_IN_FULL_MEMORY_TOO: Final = "#!lua flags=allow-oom\n"
"""When Redis is at its memory limit, work is no longer taken in, but still finished and forgotten, which makes room."""


_SHARED: Final = ("webhook_queue", "common", "parking", "endings")
"""What every script begins with, in this order: each uses the ones before it."""


def script_text(name: str) -> str:
    """A script as Redis is sent it, with what it shares with the others."""
    folder = resources.files("workers") / "lua"
    head = _IN_FULL_MEMORY_TOO if name in _FINISHING else ""
    return head + "".join((folder / f"{part}.lua").read_text() for part in (*_SHARED, name))


class Scripts:
    """Runs a script by name. Scripts are sent once and then called by digest (EVALSHA)."""

    def __init__(self, client: RedisClient) -> None:
        names = (*_TAKING_IN, *_FINISHING)
        self._scripts = {name: client.register_script(script_text(name)) for name in names}

    def run(self, name: str, *arguments: str | int | float) -> Any:  # noqa: ANN401 - the shape is the script's
        with translated_errors():
            return self._scripts[name](keys=[PREFIX], args=list(arguments))
