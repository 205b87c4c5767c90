"""In which order the job store hands items out, in plain Python: classes, owners by what they were served, buckets."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from workers.messages import CancelOutcome, JobSpec, State

RANKS = range(3)


@dataclass(kw_only=True)
class ModelItem:
    """An item, and where it waits: by `seq`, in a bucket of its own if `pending_alone`."""

    index: int
    seq: int
    state: State = State.QUEUED
    attempts: int = 0
    losses: int = 0
    fence: int | None = None
    stage: str = ""
    alone: bool = False
    pending_alone: bool = False
    picture: str | None = None
    reason: str | None = None
    canceled_as: CancelOutcome | None = None
    identity: str = ""
    parked: bool = False
    twin: str | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it may be handed out."""
        return self.state is State.QUEUED and not self.parked


@dataclass(kw_only=True)
class ModelJob:
    """A job. `late`: its deadline is over."""

    spec: JobSpec
    items: list[ModelItem]
    state: State = State.QUEUED
    started: bool = False
    finished: bool = False
    late: bool = False
    mark: int = 0
    settled: list[int] = field(default_factory=list)

    @property
    def counts(self) -> dict[State, int]:
        """Items by state."""
        found = Counter(item.state for item in self.items)
        return {state: found[state] for state in State}

    @property
    def is_open(self) -> bool:
        """Whether an item waits or is in somebody's hands."""
        return any(not item.state.is_final for item in self.items)


class QueueOrder:
    """All jobs, and who is next."""

    def __init__(self) -> None:
        self.jobs: dict[str, ModelJob] = {}
        self._seq = 0
        self._ring: dict[int, dict[str, int]] = defaultdict(dict)
        self._leaders: dict[str, ModelItem] = {}
        self._clock: Counter[int] = Counter()
        self._debt: Counter[tuple[int, str]] = Counter()

    def items(self, *states: State) -> dict[str, tuple[ModelJob, ModelItem]]:
        """Items in these states, by name."""
        found = ((job, item) for job in self.jobs.values() for item in job.items if item.state in states)
        return {f"{job.spec.id}:{item.index}": (job, item) for job, item in found}

    def _charge(self, job: ModelJob) -> None:
        rank, owner = job.spec.priority.rank, job.spec.owner
        self._clock[rank] = self._ring[rank][owner]
        self._ring[rank][owner] += job.spec.pixels

    def _first(self, matches: Callable[[ModelItem, ModelJob], bool]) -> tuple[ModelItem, ModelJob] | None:
        """The most urgent class, of it the owner that was served least, of them the oldest item."""
        for rank in RANKS:
            for owner in sorted(self._ring[rank], key=lambda owner: (self._ring[rank][owner], owner)):
                waiting = [
                    (item.seq, item, job)
                    for job in self.jobs.values()
                    for item in job.items
                    if (job.spec.owner, job.spec.priority.rank) == (owner, rank) and item.is_pending
                    if matches(item, job)
                ]
                if waiting:
                    return min(waiting, key=lambda row: row[0])[1:]
        return None

    def _bucket(self, item: ModelItem, job: ModelJob) -> str:
        return job.spec.bucket + ("!alone" if item.pending_alone else "")

    def _must_park(self, item: ModelItem) -> bool:
        """Whether an item that is next has to wait for an identical one; if not, others wait for it from now on."""
        if not item.identity or item.twin is not None:
            return False
        return self._leaders.setdefault(item.identity, item) is not item

    def _free_parked(self, leader: ModelItem) -> None:
        """An item runs no more: those that waited for it are pending again, and know its picture if there is one."""
        if self._leaders.get(leader.identity) is not leader:
            return
        del self._leaders[leader.identity]
        for job, item in self.items(State.QUEUED).values():
            if item.parked and item.identity == leader.identity:
                item.parked, item.twin = False, leader.picture
                self._join(job)

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _join(self, job: ModelJob) -> None:
        rank, owner = job.spec.priority.rank, job.spec.owner
        if owner not in self._ring[rank]:
            self._ring[rank][owner] = max(self._clock[rank], self._debt.pop((rank, owner), 0))

    def _left(self, job: ModelJob) -> None:
        """An item is pending no more; an owner without any leaves the ring with what it was served."""
        rank, owner = job.spec.priority.rank, job.spec.owner
        pending = (other for other, item in self.items(State.QUEUED).values() if item.is_pending)
        if not any((other.spec.priority.rank, other.spec.owner) == (rank, owner) for other in pending):
            self._debt[rank, owner] = self._ring[rank].pop(owner)
