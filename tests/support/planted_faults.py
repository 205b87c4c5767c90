"""Scripts of the job store with a fault in them, which its tests have to find."""

from pathlib import Path

from workers.job_store import JobStore
from workers.redis_client import RedisClient
from workers.scripts import Scripts


def plant(store: JobStore, client: RedisClient, name: str, right: str, wrong: str) -> None:
    """Have one script of a job store run with a fault in it."""
    folder = Path(Scripts.__init__.__code__.co_filename).parent / "lua"
    text = (folder / "common.lua").read_text() + (folder / f"{name}.lua").read_text()
    assert right in text
    store._scripts._scripts[name] = client.register_script(text.replace(right, wrong))
