"""What the job store should do, in plain Python: the same transitions over dicts, to be compared with the real ones."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from support.queue_order import ModelItem, ModelJob, QueueOrder
from workers.messages import CancelOutcome, ClaimedItem, JobSpec, State


class QueueModel(QueueOrder):
    """Jobs and items with everything that decides what happens to them next."""

    def __init__(self, *, max_losses: int) -> None:
        self._max_losses = max_losses
        self.forget_everything()

    def forget_everything(self) -> None:
        """As Redis does that has lost its data."""
        QueueOrder.__init__(self)
        self.gone: set[str] = set()
        self.expired_leases: set[str] = set()
        self.unrecorded: set[str] = set()
        self.totals: Counter[str] = Counter()
        self.ended: list[str] = []

    # Reading

    def holds(self, claimed: ClaimedItem) -> bool:
        """Whether this attempt is the item's newest and goes on."""
        job = self.jobs.get(claimed.job_id)
        if job is None:
            return False
        item = job.items[claimed.index]
        return item.state is State.RUNNING and item.fence == claimed.fence

    def dead(self) -> set[str]:
        """Items given up as poison."""
        return {name for name, (_, item) in self.items(State.FAILED).items() if item.reason == "poison"}

    def open_items(self, owner: str | None = None) -> int:
        """How many wait or are worked on."""
        items = self.items(State.QUEUED, State.RUNNING).values()
        return sum(owner in (None, job.spec.owner) for job, _ in items)

    def take_ended(self) -> tuple[str, ...]:
        """Jobs that ended since this was asked."""
        ended, self.ended = tuple(self.ended), []
        return ended

    # Taking in

    def submit(self, spec: JobSpec, identities: Sequence[str] = ()) -> None:
        """A new job, all of whose items wait."""
        self.jobs[spec.id] = job = ModelJob(spec=spec, items=[])
        self.totals["accepted"] += len(spec.items)
        for item in spec.items:
            identity = identities[item.index] if identities else ""
            job.items.append(ModelItem(index=item.index, seq=self._next_seq(), identity=identity))
            self._join(job)

    def restore(self, old: ModelJob) -> None:
        """A job as the object store tells of it: what had ended has ended, all else waits afresh."""
        self.jobs[old.spec.id] = job = ModelJob(spec=old.spec, items=[], started=old.started, late=old.late)
        self.totals["accepted"] += len(old.items)
        for was in old.items:
            item = ModelItem(index=was.index, seq=self._next_seq(), attempts=was.attempts)
            job.items.append(item)
            if was.state.is_final:
                item.state, item.fence, item.picture, item.reason = was.state, was.fence, was.picture, was.reason
                job.settled.append(item.index)
                self.totals[item.state] += 1
            else:
                item.attempts = 0
                self._join(job)
        if old.started or any(item.state.is_final for item in job.items):
            job.state = State.RUNNING
        if job.counts[State.FAILED]:
            self._note_unrecorded(job)
        self._end_if_done(job)

    # Scheduling

    def claim(self, models: Sequence[str], *, max_items: int, max_pixels: int) -> list[str]:
        """Names of the items that are handed out, in order; those whose deadline is over expire instead."""
        taken: list[str] = []
        head = self._first(lambda _, job: job.spec.model in models)
        bucket = head and self._bucket(*head)
        while bucket:
            head = self._first(lambda item, job: self._bucket(item, job) == bucket)
            if head is None:
                break
            item, job = head
            limit = 1 if bucket.endswith("!alone") else max(1, min(max_items, max_pixels // job.spec.pixels))
            if len(taken) >= limit:
                break
            if job.late:
                self._settle_waiting(item, job, State.EXPIRED)
            elif self._must_park(item):
                item.parked = True
                self._left(job)
            else:
                self._hand_out(item, job)
                taken.append(f"{job.spec.id}:{item.index}")
        running = self.items(State.RUNNING)
        for name in taken:
            running[name][1].alone = len(taken) == 1
        return taken

    def next_model(self, models: Sequence[str]) -> str | None:
        """The model that a further claim would be of."""
        head = self._first(lambda _, job: job.spec.model in models)
        return head and head[1].spec.model

    def _hand_out(self, item: ModelItem, job: ModelJob) -> None:
        self._charge(job)
        item.state = State.RUNNING
        self._left(job)
        item.attempts += 1
        item.stage = "claimed"
        if not job.started:
            job.started, job.state = True, State.RUNNING

    # Ends of attempts

    def each_held(self, claimed: Iterable[ClaimedItem]) -> Iterator[tuple[ModelItem, ModelJob]]:
        """One by one those that are still held when it is their turn."""
        for one in claimed:
            if self.holds(one):
                job = self.jobs[one.job_id]
                yield job.items[one.index], job

    def advance(self, claimed: ClaimedItem, stage: str) -> bool:
        """Renew a lease."""
        for item, _ in self.each_held([claimed]):
            self.expired_leases.discard(claimed.id)
            item.stage = stage or item.stage
            return True
        return False

    def commit(self, claimed: ClaimedItem, picture: str) -> bool:
        """Whether the picture is the item's result now."""
        for item, job in self.each_held([claimed]):
            item.picture = picture
            self._settle(item, job, State.SUCCEEDED)
        job = self.jobs.get(claimed.job_id)
        return job is not None and job.items[claimed.index].picture == picture

    def release(self, claimed: Iterable[ClaimedItem]) -> None:
        """Back to the old place."""
        for item, job in self.each_held(claimed):
            self._requeue(item, job, alone=item.pending_alone)

    def postpone(self, claimed: Iterable[ClaimedItem]) -> None:
        """Behind the others, alone."""
        for item, job in self.each_held(claimed):
            item.seq = self._next_seq()
            self._requeue(item, job, alone=True)

    def lose(self, claimed: Iterable[ClaimedItem]) -> None:
        """Attempts were lost."""
        for item, job in self.each_held(claimed):
            self._lose(item, job)

    def fail(self, claimed: Iterable[ClaimedItem], reason: str) -> None:
        """For good."""
        for item, job in self.each_held(claimed):
            self._fail(item, job, reason)

    def _lose(self, item: ModelItem, job: ModelJob) -> None:
        if item.alone:
            item.losses += 1
            item.seq = self._next_seq()
        if item.losses >= self._max_losses:
            self._fail(item, job, "poison")
        else:
            self._requeue(item, job, alone=True)

    def _fail(self, item: ModelItem, job: ModelJob, reason: str) -> None:
        item.reason = reason
        self._note_unrecorded(job)
        self._settle(item, job, State.FAILED)

    def _requeue(self, item: ModelItem, job: ModelJob, *, alone: bool) -> None:
        self.expired_leases.discard(f"{job.spec.id}:{item.index}")
        item.state, item.pending_alone = State.QUEUED, alone
        self._free_parked(item)
        self._join(job)

    def _settle_waiting(self, item: ModelItem, job: ModelJob, to: State) -> None:
        was_pending, item.parked, item.state = item.is_pending, False, to
        if was_pending:
            self._left(job)
        self._settle(item, job, to)

    def _settle(self, item: ModelItem, job: ModelJob, to: State) -> None:
        self.expired_leases.discard(f"{job.spec.id}:{item.index}")
        item.state = to
        self._free_parked(item)
        job.settled.append(item.index)
        self.totals[to] += 1
        self._end_if_done(job)

    def _end_if_done(self, job: ModelJob) -> None:
        if job.is_open:
            return
        counts = job.counts
        worst = (state for state in (State.FAILED, State.EXPIRED, State.CANCELED) if counts[state])
        job.state, job.finished = next(worst, State.SUCCEEDED), True
        self._note_unrecorded(job)
        self.ended.append(job.spec.id)

    def _note_unrecorded(self, job: ModelJob) -> None:
        job.mark += 1
        self.unrecorded.add(job.spec.id)

    # Beside the workers

    def cancel(self, job: ModelJob) -> list[CancelOutcome]:
        """What happens to each item."""
        for item in job.items:
            if item.state is State.QUEUED:
                self._settle_waiting(item, job, State.CANCELED)
                item.canceled_as = CancelOutcome.DEQUEUED
            elif item.state is State.RUNNING:
                self._settle(item, job, State.CANCELED)
                computing = item.stage == "computing"
                item.canceled_as = CancelOutcome.DISCARDED if computing else CancelOutcome.REMOVED_FROM_BATCH
        return [item.canceled_as or CancelOutcome.TOO_LATE for item in job.items]

    def reap(self) -> tuple[int, int]:
        """How many attempts were lost and how many items expired."""
        running = self.items(State.RUNNING)
        lost = sorted(self.expired_leases)
        for name in lost:
            job, item = running[name]
            self._lose(item, job)
        late = sorted(name for name, (job, _) in self.items(State.QUEUED).items() if job.late)
        waiting = self.items(State.QUEUED)
        for name in late:
            job, item = waiting[name]
            self._settle_waiting(item, job, State.EXPIRED)
        return len(lost), len(late)

    def retry(self, name: str, picture: str) -> str:
        """Put an item back that was given up, or whose picture is gone."""
        found = self.items(State.SUCCEEDED if picture else State.FAILED).get(name)
        if found is None or (found[1].picture != picture if picture else found[1].reason != "poison"):
            return "unlike"
        job, item = found
        if job.late:
            return "late"
        self.totals[item.state] -= 1
        item.state, item.losses, item.seq, item.pending_alone = State.QUEUED, 0, self._next_seq(), True
        item.picture = item.reason = None
        item.alone, item.stage = False, ""
        self._join(job)
        job.state, job.finished = State.RUNNING, False
        self._note_unrecorded(job)
        return "retried"

    def forget(self, job: ModelJob) -> None:
        """Retention is over."""
        if job.finished:
            del self.jobs[job.spec.id]
            self.unrecorded.discard(job.spec.id)
            self.gone.add(job.spec.id)
