"""Workers, cancels, lost leases and the reaper all at once, in threads."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from support.jobs import claim, expire_leases, job_spec, result_of
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.messages import ClaimedItem, State
from workers.redis_client import PREFIX, RedisClient, connect
from workers.repairs import Repairs
from workers.settings import QueueSettings

WORKERS, JOBS, ITEMS = 4, 60, 5


def work(store: JobStore, number: int, done: threading.Event) -> list[str]:
    """What a careless worker does until the queue is empty; names of the items that it published."""
    draw = random.Random(number)  # noqa: S311 - no secrets
    published: list[str] = []
    held: list[ClaimedItem] = []
    while not done.is_set():
        batch = claim(store, items=draw.randint(1, 6), worker=f"w{number}").batch
        held += batch.items if batch else ()
        draw.shuffle(held)
        some, held = held[:4], held[4:]  # what is kept is committed later, perhaps too late
        act = draw.choice([store.commit] * 6 + [store.release, store.postpone, partial(store.lose, detail="crash")])
        if act == store.commit:
            flags = store.commit([result_of(item) for item in some]).published
            published += [item.id for item, flag in zip(some, flags, strict=True) if flag]
        else:
            act(some)
    return published


def until(done: threading.Event, action: Callable[[random.Random], object], seconds: float) -> None:
    draw = random.Random(seconds)  # noqa: S311 - no secrets
    while not done.wait(seconds):
        action(draw)


def lose_some_leases(client: RedisClient, draw: random.Random) -> None:
    leased: Sequence[str] = client.zrange(f"{PREFIX}leases", 0, -1)
    expire_leases(client, draw.sample(leased, len(leased) // 2))


def test_every_item_ends_once_whatever_threads_do_at_the_same_time(redis_url: str, redis_client: RedisClient) -> None:
    store = JobStore(redis_client, QueueSettings(max_losses=10**6))
    reader, done = JobReader(redis_client), threading.Event()
    names = [f"j{number}" for number in range(JOBS)]
    for name in names:
        store.submit(job_spec(name, ITEMS, owner=f"owner {name[-1]}"))

    def cancel(draw: random.Random) -> None:
        name = draw.choice(names)
        store.cancel(name, owner=f"owner {name[-1]}")

    def end_when_drained(_: random.Random) -> None:
        if reader.stats().open_items == 0:
            done.set()

    with ThreadPoolExecutor(WORKERS + 4) as pool:
        own = [JobStore(connect(redis_url), QueueSettings(max_losses=10**6)) for _ in range(WORKERS)]
        published = [pool.submit(work, worker, number, done) for number, worker in enumerate(own)]
        beside = [
            pool.submit(until, done, lambda _: store.reap(), 0.01),
            pool.submit(until, done, partial(lose_some_leases, redis_client), 0.02),
            pool.submit(until, done, cancel, 0.05),
            pool.submit(until, done, end_when_drained, 0.03),
        ]
        for one in beside:
            one.result()
        counted = Counter(name for one in published for name in one.result())

    items = {f"{name}:{item.index}": item for name in names for item in reader.items(reader.job(name))}
    assert {item.state for item in items.values()} == {State.SUCCEEDED, State.CANCELED}
    assert counted == Counter(name for name, item in items.items() if item.state is State.SUCCEEDED)
    repairs, stats = Repairs(redis_client), reader.stats()
    assert [fault for name in names for fault in repairs.audit(name, fix=False)] == []
    balance = repairs.balance(fix=False)
    assert (balance.accepted, balance.missing, balance.wrong) == (JOBS * ITEMS, 0, [])
    assert (stats.leases, stats.open_items, stats.open_pixels) == (0, 0, 0)
    assert redis_client.keys(f"{PREFIX}pending:*") == redis_client.keys(f"{PREFIX}waiting:*") == []
