"""Scripts of the job store with a fault in them, which its tests have to find."""

from workers.job_store import JobStore
from workers.redis_client import RedisClient
from workers.scripts import script_text


def plant(store: JobStore, client: RedisClient, name: str, right: str, wrong: str) -> None:
    """Have one script of a job store run with a fault in it."""
    text = script_text(name)
    assert right in text
    store._scripts._scripts[name] = client.register_script(text.replace(right, wrong))
