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
    """A script with what it shares with the others."""
    folder = resources.files("workers") / "lua"
    return "".join((folder / f"{part}.lua").read_text() for part in (*_SHARED, name))


class Scripts:
    """Runs a script by name. Scripts are sent once and then called by digest (EVALSHA)."""

    def __init__(self, client: RedisClient) -> None:
        heads = dict.fromkeys(_TAKING_IN, "") | dict.fromkeys(_FINISHING, _IN_FULL_MEMORY_TOO)
        self._scripts = {name: client.register_script(head + script_text(name)) for name, head in heads.items()}

    def run(self, name: str, *arguments: str | int | float) -> Any:  # noqa: ANN401 - the shape is the script's
        with translated_errors():
            return self._scripts[name](keys=[PREFIX], args=list(arguments))
