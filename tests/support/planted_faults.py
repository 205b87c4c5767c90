"""Scripts of the job store with a fault in them, which its tests have to find."""

from workers.job_store import JobStore
from workers.redis_client import RedisClient
from workers.scripts import script_text

FAULTS = {
    "no fence": ("commit", "return v[1] == 'running' and v[2] == fence", "return v[1] == 'running'"),
    "canceled item stays listed": ("cancel", "redis.call('ZREM', pending, id)", ""),
    "blamed in company": ("reap", "redis.call('HGET', item, 'alone') == '1'", "true"),
    "lease stays": ("give_back", "redis.call('ZREM', P .. 'leases', id)", ""),
    "still parked": ("give_back", "  free_parked(id)\n  enqueue(", "  enqueue("),
    "twin not told": ("commit", "if twin then redis.call('HSET', item, 'twin', twin) end", ""),
    "canceled item stays parked": (
        "cancel",
        "redis.call('ZREM', P .. 'parked:' .. v[2], id) == 1",
        "is_parked(id, v[2])",
    ),
}
"""By what goes wrong: a script, what stands in it, and what is put in its place."""


def plant(store: JobStore, client: RedisClient, name: str, right: str, wrong: str) -> None:
    """Have one script of a job store run with a fault in it."""
    text = script_text(name)
    assert right in text
    store._scripts._scripts[name] = client.register_script(text.replace(right, wrong))
