"""Reads for whoever keeps the service running: use by owner, newest jobs and failures, workers, memory of Redis."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from workers.errors import JobExpiredError, JobUnknownError
from workers.job_reader import JobReader
from workers.messages import ItemView, JobView, State
from workers.presence import WorkerView, read_workers
from workers.redis_client import PREFIX, RedisClient, read_info, translated_errors

_MOST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerUse:
    """What an owner, which is one API key or several, has been given and takes up."""

    owner: str
    pictures: int
    pixels: int
    open_items: int
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Of Redis; a limit of 0 is none."""

    used_bytes: int
    limit_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An item that failed for good, and its job."""

    job: JobView
    item: ItemView


MOST_OWNERS: Final = 200


class OperationsReader:
    """Views for operators. Every method raises `QueueUnavailableError` when Redis is away."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._reader = JobReader(client)

    def owners(self) -> list[OwnerUse]:
        """Who has something open, then who had most pictures, at most `MOST_OWNERS` in all, by name.

        So many at most, since each is a label of metrics: whoever makes a key makes an owner.
        """
        with translated_errors():
            used = self._client.hgetall(f"{PREFIX}used")
            open_now = self._client.hgetall(f"{PREFIX}open")
            stored = self._client.hgetall(f"{PREFIX}stored")
        names = {owner for _, colon, owner in (field.partition(":") for field in (*used, *open_now)) if colon}
        uses = [
            OwnerUse(
                owner=owner,
                pictures=int(used.get(f"pictures:{owner}", 0)),
                pixels=int(used.get(f"pixels:{owner}", 0)),
                open_items=int(open_now.get(f"items:{owner}", 0)),
                stored_bytes=int(stored.get(owner, 0)),
            )
            for owner in names | set(stored)
        ]
        most = heapq.nlargest(MOST_OWNERS, uses, key=lambda use: (use.open_items > 0, use.pictures, use.stored_bytes))
        return sorted(most, key=lambda use: use.owner)

    def memory(self) -> Memory | None:
        """None where Redis does not tell, as some hosted ones do not."""
        with translated_errors():
            told = read_info(self._client, "memory")
        if "used_memory" not in told:
            return None
        return Memory(used_bytes=int(told["used_memory"]), limit_bytes=int(told.get("maxmemory", 0)))

    def workers(self) -> list[WorkerView]:
        """Those that said something in the last ten minutes, by name."""
        return read_workers(self._client)

    def recent_jobs(self, count: int) -> list[JobView]:
        """The newest jobs of all owners, at most 100, newest first."""
        return [job for name in self._newest("recent", count) if (job := self._job(name)) is not None]

    def failures(self, count: int) -> list[Failure]:
        """The items that failed last, at most 100, newest first."""
        return list(self._failures(count))

    def _failures(self, count: int) -> Iterator[Failure]:
        for name in self._newest("failures", count):
            job_id, _, index = name.rpartition(":")
            job = self._job(job_id)
            if job is not None:
                try:
                    item = self._reader.item(job_id, int(index))
                except JobUnknownError:
                    continue  # removed between the two reads
                if item.state == State.FAILED:
                    yield Failure(job=job, item=item)

    def _newest(self, name: str, count: int) -> list[str]:
        with translated_errors():
            rows = self._client.zrevrangebyscore(
                f"{PREFIX}{name}", "+inf", "-inf", start=0, num=min(count, _MOST), withscores=True
            )
        return [member for member, _ in rows]

    def _job(self, job_id: str) -> JobView | None:
        try:
            return self._reader.job(job_id)
        except (JobExpiredError, JobUnknownError):
            return None
