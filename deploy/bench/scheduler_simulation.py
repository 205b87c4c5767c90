"""A discrete-event simulation of very many workers on the real job store: its code, its scripts, a Redis of its own.

Time is simulated, so that ten thousand workers fit on one machine: nothing is computed and nobody waits. What Redis
does takes no time in there, and is measured beside it by the clock of this machine.
"""

import dataclasses
import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Final

from deploy.bench.jobs import job_spec, null_result
from deploy.bench.scheduler_load import Arrival, Owner
from deploy.bench.script_times import ScriptTimes
from deploy.bench.simulated_time import SimulatedTime
from deploy.errors import BenchmarkError
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.messages import Batch
from workers.settings import QueueSettings

_MODEL: Final = "simulated"
_WAKE_SECONDS: Final = 0.0035
"""From a submission to the claim of a worker that has nothing to do, as `spade-serve bench queue` measures it."""
_LEASES_LATE: Final = 1.5
_EVENTS_BETWEEN_NOTES: Final = 400
_UNLIMITED: Final = 2**60

MAP_SPREAD: Final = (1.09, 0.81, 1.13, 0.80, 1.15, 0.91, 0.82, 1.29)
"""Times of the engine for the eight COCO-Stuff samples of BENCHMARKS.md, as parts of their mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedWorkers:
    """All alike. Of their batches some are lost with the worker, and some come back after their lease."""

    count: int
    picture_seconds: float
    """Mean; each picture's is drawn."""
    batch_items: int = 8
    lost_share: float = 0.005
    late_share: float = 0.002
    lease_batches: float = 10.0

    @property
    def batch_seconds(self) -> float:
        """Mean of a full batch."""
        return self.batch_items * self.picture_seconds

    @property
    def lease_seconds(self) -> float:
        """After which a silent worker's items go to another; it takes as long to start a new one."""
        return self.lease_batches * self.batch_seconds


@dataclass(slots=True)
class Outcome:
    """What came of it. Claims, pictures, pixels and waits are of the simulated time alone."""

    pixels: Counter[str] = field(default_factory=Counter)
    """Handed out, by owner."""
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Simulated seconds from a job's arrival to the first claim of each of its items, by owner."""
    claims: int = 0
    pictures: int = 0
    accepted: int = 0
    published: set[str] = field(default_factory=set)
    lost_attempts: set[str] = field(default_factory=set)
    refused: int = 0
    """Results of workers that came too late."""


class Simulation:
    """One run on an empty Redis; `times` watches it."""

    def __init__(self, url: str, workers: SimulatedWorkers, *, times: ScriptTimes, dice: random.Random) -> None:
        self.clock = SimulatedTime()
        client = self.clock.connect(url)
        settings = QueueSettings(
            lease_seconds=workers.lease_seconds,
            max_open_items=_UNLIMITED,
            max_open_pixels=_UNLIMITED,
            max_owner_items=_UNLIMITED,
            max_owner_pixels=_UNLIMITED,
        )
        self.store = JobStore(client, settings)
        self.outcome = Outcome()
        self._reader = JobReader(client)
        self._workers = workers
        self._times = times
        self._dice = dice
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._idle: list[int] = []
        self._arrived: dict[str, tuple[Owner, float]] = {}
        self._is_open = True

    def run(self, jobs: Sequence[Arrival], *, seconds: float) -> Outcome:
        """Let the workers work for so long, and then finish what they have in hand and what they have lost."""
        for job in jobs:
            self._at(job.seconds, partial(self._submit, job))
        for worker in range(self._workers.count):
            self._at(self._dice.uniform(0, self._workers.batch_seconds), partial(self._claim, worker))
        self._at(self._workers.lease_seconds / 4, self._reap)
        self._go_on(until=seconds)
        self._times.note()
        return self.outcome

    def settle(self) -> int:
        """After the time is over: let leases run out and others make what was lost. Returns how many items are gone."""
        self._is_open = False
        self._go_on(until=float("inf"))
        self.clock.seconds += 2 * self._workers.lease_seconds
        self._take_back()
        while self.outcome.lost_attempts - self.outcome.published and (batch := self._take(0)) is not None:
            self._commit(batch)
        return self.outcome.accepted - len(self.outcome.published) - self._reader.stats().open_items

    def _go_on(self, *, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.clock.seconds, number, action = heapq.heappop(self._events)
            action()
            if self._is_open and number % _EVENTS_BETWEEN_NOTES == 0:
                self._times.note()

    def _at(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (seconds, next(self._numbers), action))

    def _submit(self, job: Arrival) -> None:
        job_id = f"job-{len(self._arrived):07}"
        self._arrived[job_id] = job.owner, self.clock.seconds
        spec = job_spec(job_id, items=job.items, model=_MODEL)
        self.store.submit(dataclasses.replace(spec, owner=job.owner.name, priority=job.owner.priority))
        self.outcome.accepted += job.items
        wanted = -(-job.items // self._workers.batch_items)
        woken, self._idle = self._idle[:wanted], self._idle[wanted:]
        for worker in woken:
            self._at(self.clock.seconds + _WAKE_SECONDS, partial(self._claim, worker))

    def _claim(self, worker: int) -> None:
        if not self._is_open:
            return
        batch = self._take(worker)
        if batch is None:
            self._idle.append(worker)
            return
        self._note_handed_out(batch)
        seconds = sum(self._dice.choice(MAP_SPREAD) for _ in batch.items) * self._workers.picture_seconds
        fate, lease = self._dice.random(), self._workers.lease_seconds
        if fate < self._workers.lost_share:
            self.outcome.lost_attempts.update(item.id for item in batch.items)
            self._at(self.clock.seconds + lease, partial(self._claim, worker))
            return
        if fate < self._workers.lost_share + self._workers.late_share:
            self.outcome.lost_attempts.update(item.id for item in batch.items)
            seconds = _LEASES_LATE * lease
        self._at(self.clock.seconds + seconds, partial(self._finish, worker, batch))

    def _take(self, worker: int) -> Batch | None:
        claim = self.store.claim(
            worker=f"worker-{worker:05}",
            device="simulated",
            models=[_MODEL],
            max_items=self._workers.batch_items,
            max_pixels=_UNLIMITED,
        )
        if claim.batch is not None:
            self.store.advance(claim.batch.items, stage="computing")
        return claim.batch

    def _note_handed_out(self, batch: Batch) -> None:
        self.outcome.claims += 1
        self.outcome.pictures += len(batch.items)
        for item in batch.items:
            owner, arrived = self._arrived[item.job_id]
            self.outcome.pixels[owner.name] += batch.pixels
            if item.attempt == 1:
                self.outcome.waits[owner.name].append(self.clock.seconds - arrived)

    def _finish(self, worker: int, batch: Batch) -> None:
        self._commit(batch)
        self._claim(worker)

    def _commit(self, batch: Batch) -> None:
        commit = self.store.commit([null_result(item) for item in batch.items])
        for item, published in zip(batch.items, commit.published, strict=True):
            if published and item.id in self.outcome.published:
                raise BenchmarkError(f"item {item.id} was published twice")
            if published:
                self.outcome.published.add(item.id)
            else:
                self.outcome.refused += 1
        for job_id in commit.ended_jobs:
            self._record_and_forget(job_id)

    def _record_and_forget(self, job_id: str) -> None:
        """What a worker and later the retention do with a job that has ended, but for the object store."""
        mark = self.store.record_mark(job_id)
        self._reader.items(self._reader.job(job_id))
        self.store.mark_recorded(job_id, mark=mark)
        self.store.forget(job_id)

    def _take_back(self) -> None:
        while self.store.reap().lost:
            pass

    def _reap(self) -> None:
        self._take_back()
        if self._events:
            self._at(self.clock.seconds + self._workers.lease_seconds / 4, self._reap)
