"""Whether the job store tells what its model tells, by everything that can be read of it."""

import json
from collections import Counter
from typing import Final

from support.queue_model import QueueModel
from support.queue_order import ModelJob
from workers.job_reader import JobReader
from workers.messages import Priority, State
from workers.redis_client import PREFIX, RedisClient
from workers.repairs import Repairs, RestoredItem, RestoredJob

_EVERYTHING: Final = """
local all = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local kind = redis.call('TYPE', key).ok
  local value = {}
  if kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1)
  elseif kind == 'hash' then value = redis.call('HGETALL', key)
  elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1) end
  all[#all + 1] = { string.sub(key, #ARGV[1] + 1), value }
end
return all
"""
"""All lists and hashes in one call: checks come after every step, and a hundred calls each would take long."""


class QueueChecks:
    """Compares a job store with its model."""

    def __init__(self, client: RedisClient, model: QueueModel) -> None:
        self._client = client
        self._model = model
        self._repairs = Repairs(client)
        self._everything = client.register_script(_EVERYTHING)
        self._keys: dict[str, list[str]] = {}

    def run(self) -> None:
        """Fails where they differ."""
        self._keys = dict(self._everything(args=[PREFIX]))
        for name, job in self._model.jobs.items():
            self._check_job(name, job)
        self._check_lists()
        self._check_sums()

    def run_audit(self) -> None:
        """Fails where the job store's own audit finds anything, or its readers tell another story."""
        for name, job in self._model.jobs.items():
            assert self._repairs.audit(name, fix=False) == []
            assert JobReader(self._client).job(name).state is job.state
        stats = JobReader(self._client).stats()
        depth = Counter((job.spec.model, job.spec.priority) for job, _ in self._model.items(State.QUEUED).values())
        for queue in stats.queues:
            assert queue.waiting == {priority: depth[queue.model, priority] for priority in Priority}

    def _check_job(self, name: str, job: ModelJob) -> None:
        real = self._hash(f"job:{name}")
        assert (real["state"], {state: int(real[state]) for state in State}) == (job.state, job.counts)
        assert int(real["total"]) == len(job.items)
        assert ("finished_ms" in real) == job.finished
        for item in job.items:
            told = self._hash(f"item:{name}:{item.index}")
            tries = (int(told["attempts"]), int(told["losses"]))
            assert (told["state"], *tries) == (item.state, item.attempts, item.losses), f"{name}:{item.index}"
            assert (told.get("reason"), told.get("picture")) == (item.reason, item.picture), f"{name}:{item.index}"
            assert json.loads(told.get("twin", "[null]"))[0] == item.twin, f"{name}:{item.index}"
        settled = [int(index) for index in self._keys.get(f"settled:{name}", [])]
        assert settled == job.settled, "one result per item, in the order of their coming"

    def _check_lists(self) -> None:
        waiting, leased = self._members("waiting:"), self._members("leases")
        assert not waiting & leased, "no item both waits and is worked on"
        queued = self._model.items(State.QUEUED)
        pending, parked = self._members("pending:"), self._members("parked:")
        assert waiting == set(queued)
        assert pending == {name for name, (_, item) in queued.items() if item.is_pending}
        assert parked == waiting - pending, "what waits is pending or parked"
        assert set(self._hash("inflight").values()) <= leased, "nobody waits for what does not run"
        assert leased == set(self._model.items(State.RUNNING))
        with_deadline = {name for name, (job, _) in queued.items() if job.spec.deadline_seconds is not None}
        assert self._members("deadlines") == with_deadline
        assert self._members("dead") == self._model.dead()
        assert self._members("unrecorded") == self._model.unrecorded
        assert self._members("ended") == {name for name, job in self._model.jobs.items() if job.finished}

    def _check_sums(self) -> None:
        model, balance, noted = self._model, self._repairs.balance(fix=False), self._hash("open")
        open_now = model.items(State.QUEUED, State.RUNNING).values()
        assert int(noted.get("items", 0)) == balance.open_items == len(open_now)
        assert int(noted.get("pixels", 0)) == sum(job.spec.pixels for job, _ in open_now)
        assert (balance.missing, balance.wrong) == (0, [])
        assert balance.accepted == model.totals["accepted"]
        assert balance.ended == {state: model.totals[state] for state in State if state.is_final}

    def _hash(self, key: str) -> dict[str, str]:
        flat = self._keys.get(key, [])
        return dict(zip(flat[::2], flat[1::2], strict=True))

    def _members(self, key: str) -> set[str]:
        """Of one list, or of all whose key goes on behind the colon that `key` ends with."""
        found = [known for known in self._keys if known == key or (key.endswith(":") and known.startswith(key))]
        names = [name for known in found for name in self._keys[known]]
        assert len(names) == len(set(names)), f"listed twice in {key}"
        return set(names)


def restored_job(job: ModelJob, newest_fence: int) -> RestoredJob:
    """What recovery makes of the records of a job."""
    return RestoredJob(
        spec=job.spec,
        items=tuple(
            RestoredItem(spec=spec, state=item.state, attempts=item.attempts, reason=item.reason, detail="")
            if item.state.is_final and item.picture is None
            else RestoredItem(
                spec=spec, state=item.state, attempts=item.attempts, picture_key=item.picture, fence=item.fence
            )
            if item.state.is_final
            else RestoredItem(spec=spec)
            for spec, item in zip(job.spec.items, job.items, strict=True)
        ),
        created_ms=1,
        started_ms=2 if job.started else None,
        finished_ms=3 if job.finished else None,
        deadline_ms=1 if job.late else None if job.spec.deadline_seconds is None else 2**45,
        is_recorded=False,
        newest_fence=newest_fence,
        input_bytes=0,
    )
