"""The job store against a model in plain Python, in every order of events that Hypothesis thinks of.

Three workers with their own leases and fences take turns; leases, deadlines and retention times run out by moving them
into the past; Redis may lose everything. After each step both sides have to tell the same story.
"""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from support.jobs import expire_leases, job_spec, result_of
from support.planted_faults import FAULTS, plant
from support.queue_checks import QueueChecks, restored_job
from support.queue_model import QueueModel
from support.queue_order import ModelJob
from workers.errors import JobExistsError, JobExpiredError, JobUnknownError, QueueFullError
from workers.job_store import JobStore
from workers.messages import ClaimedItem, Priority, State
from workers.redis_client import PREFIX, RedisClient
from workers.repairs import Repairs
from workers.settings import QueueSettings

MAX_OPEN, MAX_OWNED, MAX_LOSSES = 40, 25, 2
OWNERS, MODELS = ("ann", "bob", "cleo"), ("landscape", "coco-stuff")
WORKERS = st.sampled_from(["w1", "w2", "w3"])


class QueueMachine(RuleBasedStateMachine):
    """Every rule does one thing to both, and compares the answers."""

    def __init__(self, client: RedisClient, fault: tuple[str, str, str] | None = None) -> None:
        super().__init__()
        client.flushall()
        caps = QueueSettings(max_open_items=MAX_OPEN, max_owner_items=MAX_OWNED, max_losses=MAX_LOSSES)
        self.client, self.store, self.repairs = client, JobStore(client, caps), Repairs(client)
        if fault is not None:
            plant(self.store, client, *fault)
        self.model = QueueModel(max_losses=MAX_LOSSES)
        self.checks = QueueChecks(client, self.model)
        self.claimed: dict[str, list[ClaimedItem]] = {worker: [] for worker in ("w1", "w2", "w3")}
        self.marks: dict[str, tuple[str, int]] = {}
        self.newest_fence = self.names = 0

    # Taking in

    @precondition(lambda self: self.names < 8 or self.model.open_items() < 2)
    @rule(
        items=st.integers(1, 5),
        owner=st.sampled_from(OWNERS),
        model=st.sampled_from(MODELS),
        priority=st.sampled_from(Priority),
        width=st.sampled_from([256, 512]),
        deadline=st.sampled_from([None, None, 3600.0, 0.0]),
        pictures=st.none() | st.lists(st.sampled_from("xyz"), min_size=5, max_size=5),
    )
    def submit(self, items, owner, model, priority, width, deadline, pictures):
        self.names += 1
        spec = job_spec(
            f"j{self.names}", items, owner=owner, model=model, priority=priority, width=width, deadline_seconds=deadline
        )
        scopes = {"service": MAX_OPEN - self.model.open_items(), "owner": MAX_OWNED - self.model.open_items(owner)}
        full = next((scope for scope, room in scopes.items() if items > room), None)
        if full is None:
            identities = [f"{spec.bucket}/{picture}" for picture in (pictures or [])[:items]]
            self.store.submit(spec, identities=identities)
            self.model.submit(spec, identities)
            self.model.jobs[spec.id].late = deadline == 0.0
        else:
            with pytest.raises(QueueFullError) as refused:
                self.store.submit(spec)
            assert refused.value.scope == full

    @initialize()
    def begin_with_work(self):
        for owner, priority in zip(OWNERS, Priority, strict=True):
            self.submit(4, owner, "landscape", priority, 256, None, "xxyxx")

    @precondition(lambda self: self.model.gone)
    @rule(data=st.data())
    def submit_again(self, data):
        job_id = f"j{data.draw(st.integers(1, self.names))}"
        error = JobExistsError if job_id in self.model.jobs else JobExpiredError if job_id in self.model.gone else None
        if error is not None:
            with pytest.raises(error):
                self.store.submit(job_spec(job_id))

    # Workers

    @rule(
        worker=WORKERS,
        models=st.sampled_from([("landscape",), ("coco-stuff",), MODELS, MODELS]),
        items=st.integers(1, 6),
        pixels=st.sampled_from([10**9, 10**9, 3 * 256 * 256, 1]),
    )
    def claim(self, worker, models, items, pixels):
        claim = self.store.claim(worker=worker, device="cpu", models=models, max_items=items, max_pixels=pixels)
        got = claim.batch.items if claim.batch else ()
        assert [item.id for item in got] == self.model.claim(models, max_items=items, max_pixels=pixels)
        assert claim.more_waiting == self.model.next_model(models)
        assert claim.ended_jobs == self.model.take_ended()
        for item in got:
            assert item.fence > self.newest_fence, "fences rise for ever"
            self.newest_fence = item.fence
            known = self.model.jobs[item.job_id].items[item.index]
            known.fence = item.fence
            assert (item.twin and item.twin.picture_key) == known.twin
        self.claimed[worker] += got

    claim_more = also_claim = claim  # Hypothesis takes rules evenly; most of what matters follows from claims

    @rule(worker=WORKERS, data=st.data(), stage=st.sampled_from(["", "computing"]))
    def advance(self, worker, data, stage):
        items = self._some(worker, data)
        if items:
            assert self.store.advance(items, stage=stage) == [self.model.advance(item, stage) for item in items]

    @rule(worker=WORKERS, data=st.data(), late=st.booleans())
    def commit(self, worker, data, late):
        items = self._some(worker, data, late=late)
        if items:
            results = [result_of(item) for item in items]
            unknown = tuple(item.job_id not in {*self.model.jobs, *self.model.gone} for item in items)
            commit = self.store.commit(results)
            expected = tuple(self.model.commit(result.item, result.picture_key) for result in results)
            assert (commit.published, commit.unknown) == (expected, unknown)
            assert commit.ended_jobs == self.model.take_ended()

    @rule(data=st.data())
    def commit_what_another_has_by_now(self, data):
        running = self.model.items(State.RUNNING)
        ever = [item for items in self.claimed.values() for item in items]
        late = [item for item in ever if item.id in running and not self.model.holds(item)]
        if late:
            assert self.store.commit([result_of(data.draw(st.sampled_from(late)))]).published == (False,)

    @rule(worker=WORKERS, data=st.data(), how=st.sampled_from(["release", "postpone", "lose", "lose", "fail"]))
    def give_back(self, worker, data, how):
        items = self._some(worker, data)
        if items:
            match how:
                case "release":
                    ended = self.store.release(items)
                    self.model.release(items)
                case "postpone":
                    ended = self.store.postpone(items)
                    self.model.postpone(items)
                case "lose":
                    ended = self.store.lose(items, detail="crash")
                    self.model.lose(items)
                case _:
                    ended = self.store.fail(items, reason="input-unreadable", detail="x")
                    self.model.fail(items, "input-unreadable")
            assert ended == self.model.take_ended()

    def _some(self, worker: str, data, *, late: bool = False) -> list[ClaimedItem]:
        """Some of what a worker was ever handed, most of the time of what it still holds."""
        pool = [item for item in self.claimed[worker] if late or self.model.holds(item)] or self.claimed[worker][-8:]
        if not pool:
            return []
        return data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4, unique_by=lambda item: item.fence))

    # Time

    @rule(worker=WORKERS)
    def a_worker_falls_silent(self, worker):
        held = [item.id for item in self.claimed[worker] if self.model.holds(item)]
        expire_leases(self.client, held)
        self.model.expired_leases.update(held)

    @rule()
    def reap(self):
        reaped = self.store.reap()
        assert (len(reaped.lost), len(reaped.expired)) == self.model.reap()
        assert reaped.ended_jobs == self.model.take_ended()

    @rule(data=st.data())
    def a_deadline_passes(self, data):
        job = self._job(data, lambda job: job.spec.deadline_seconds is not None and not job.finished)
        if job is not None:
            job.late = True
            self.client.hset(f"{PREFIX}job:{job.spec.id}", mapping={"deadline_ms": "1"})
            for item in job.items:
                self.client.zadd(f"{PREFIX}deadlines", {f"{job.spec.id}:{item.index}": 1}, xx=True)

    # Beside the workers

    @rule(data=st.data(), stranger=st.booleans())
    def cancel(self, data, stranger):
        job = self._job(data, lambda _: True)
        if job is None:
            return
        if stranger:
            with pytest.raises(JobUnknownError):
                self.store.cancel(job.spec.id, owner="mallory")
            return
        outcomes, ended = self.store.cancel(job.spec.id, owner=job.spec.owner)
        assert outcomes == self.model.cancel(job)
        assert ended == self.model.take_ended()

    @rule(data=st.data())
    def retention_is_over(self, data):
        job = self._job(data, lambda job: job.finished) or self._job(data, lambda _: True)
        if job is not None:
            self.store.forget(job.spec.id)
            self.model.forget(job)

    @rule(data=st.data())
    def begin_to_record(self, data):
        job = self._job(data, lambda job: job.spec.id in self.model.unrecorded)
        if job is not None:
            self.marks[job.spec.id] = (self.store.record_mark(job.spec.id), job.mark)

    @precondition(lambda self: self.marks)
    @rule(data=st.data())
    def note_the_record(self, data):
        job_id = data.draw(st.sampled_from(sorted(self.marks)))
        mark, as_read = self.marks.pop(job_id)
        job = self.model.jobs.get(job_id)
        is_newest = job is None or not job.mark or job.mark == as_read
        assert self.store.mark_recorded(job_id, mark=mark) == is_newest
        if is_newest:
            self.model.unrecorded.discard(job_id)

    # Repairs

    @rule(data=st.data(), dead=st.booleans())
    def retry(self, data, dead):
        ended = self.model.items(State.FAILED if dead else State.SUCCEEDED)
        if ended:
            name = data.draw(st.sampled_from(sorted(ended)))
            picture = "" if dead else ended[name][1].picture
            assert self.repairs.retry([(name, picture)]) == [self.model.retry(name, picture)]

    @precondition(lambda self: self.newest_fence and self.names > 5 and self.model.jobs)
    @rule(data=st.data())
    def redis_loses_everything_and_some_jobs_are_restored(self, data):
        old = self.model.jobs
        kept = data.draw(st.lists(st.sampled_from(sorted(old)), min_size=1, unique=True))
        self.client.flushall()
        self.model.forget_everything()
        for job_id in kept:
            answer, ended = self.repairs.restore(restored_job(old[job_id], self.newest_fence))
            self.model.restore(old[job_id])
            assert (answer, ended) == ("restored", self.model.take_ended())

    def _job(self, data, wanted) -> ModelJob | None:
        found = [name for name, job in self.model.jobs.items() if wanted(job)]
        return self.model.jobs[data.draw(st.sampled_from(found))] if found else None

    @invariant()
    def both_tell_the_same(self):
        self.checks.run()

    def teardown(self):
        self.checks.run_audit()


def run(client: RedisClient, fault: tuple[str, str, str] | None = None, **options: object) -> None:
    limits = settings(
        deadline=None, suppress_health_check=list(HealthCheck), print_blob=False, report_multiple_bugs=False, **options
    )
    run_state_machine_as_test(lambda: QueueMachine(client, fault), settings=limits)


def test_the_job_store_does_what_its_model_does(redis_client: RedisClient) -> None:
    run(redis_client, max_examples=30, stateful_step_count=40, phases=[Phase.reuse, Phase.generate])


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_planted_in_a_script_is_found(redis_client: RedisClient, fault: tuple[str, str, str]) -> None:
    with pytest.raises(AssertionError):
        run(
            redis_client,
            fault,
            max_examples=300,
            stateful_step_count=40,
            phases=[Phase.generate],
            derandomize=True,
            database=None,
        )
