"""The transitions of the job store: Lua scripts, each of which Redis runs as one step."""

from importlib import resources
from typing import Any, Final

from workers.redis_client import PREFIX, RedisClient, translated_errors

_NAMES: Final = ("submit", "claim", "advance", "commit", "give_back", "cancel", "reap", "forget")


class Scripts:
    """Runs a script by name. Scripts are sent once and then called by digest (EVALSHA)."""

    def __init__(self, client: RedisClient) -> None:
        folder = resources.files("workers") / "lua"
        common = (folder / "common.lua").read_text()
        self._scripts = {name: client.register_script(common + (folder / f"{name}.lua").read_text()) for name in _NAMES}

    def run(self, name: str, *arguments: str | int | float) -> Any:  # noqa: ANN401 - the shape is the script's
        with translated_errors():
            return self._scripts[name](keys=[PREFIX], args=list(arguments))
