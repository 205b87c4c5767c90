"""Stored jobs of every kind, and what puts them back after Redis has lost everything."""

from dataclasses import dataclass

from support.bench import SIZE, Bench, store_inputs
from support.jobs import OWNER, claim_batch, job_spec
from workers.messages import JobSpec, State, spec_key
from workers.recovery import Recovery
from workers.repairs import Repairs
from workers.stored_jobs import stored_job

NOW_MS = 2_000_000_000_000


@dataclass(frozen=True, kw_only=True)
class Recoverer:
    """A bench whose jobs are stored as the API stores them, and the means to take them back."""

    bench: Bench
    repairs: Repairs
    recovery: Recovery

    @classmethod
    def of(cls, bench: Bench) -> "Recoverer":
        repairs = Repairs(bench.client)
        recovery = Recovery(repairs=repairs, objects=bench.objects, recorder=bench.recorder, filler=bench.filler)
        return cls(bench=bench, repairs=repairs, recovery=recovery)

    def store(self, job_id: str, items: int, **changes: object) -> JobSpec:
        """Inputs and description of a job that is not queued."""
        store_inputs(self.bench.objects, job_id, items)
        spec = job_spec(job_id, items, **{"height": SIZE, "width": SIZE, "created_ms": NOW_MS, **changes})
        self.bench.objects.put(spec_key(job_id), spec.to_json().encode())
        return spec

    def submit(self, job_id: str, items: int, **changes: object) -> JobSpec:
        """A job as the API accepts it."""
        spec = self.store(job_id, items, **changes)
        self.bench.store.submit(spec, input_bytes=stored_job(self.bench.objects, job_id).input_bytes)
        return spec

    def work(self, batches: int = 10**6) -> list[str]:
        """Let the worker do so many batches; the items that it computed."""
        engine, stop = self.bench.engine, self.bench.stop
        before = len(engine.batches)
        engine.before = lambda _: stop.set() if len(engine.batches) - before >= batches else None
        self.bench.pipeline.drain(seconds=60)
        stop.clear()
        return [item for batch in engine.batches[before:] for item in batch]

    def states(self, job_id: str) -> list[State]:
        return self.bench.states(job_id)

    def jobs_in_all_states(self) -> None:
        """done, partly, waiting, failed, partly-failed, canceled and expired; claims and failures in between."""
        store, recorder = self.bench.store, self.bench.recorder
        self.submit("done", 4)
        self.work()
        self.submit("failed", 1)
        recorder.record(store.fail(claim_batch(store).items, reason="out-of-memory", detail="too large"))
        self.submit("partly-failed", 2)
        store.fail(claim_batch(store, items=1).items, reason="out-of-memory", detail="too large")
        recorder.record_leftovers()
        self.submit("canceled", 2)
        recorder.record(store.cancel("canceled", owner=OWNER)[1])
        self.submit("expired", 1, deadline_seconds=0.0)
        recorder.record(store.reap().ended_jobs)
        self.work()
        self.submit("partly", 7)
        self.work(batches=1)
        self.submit("waiting", 2)
