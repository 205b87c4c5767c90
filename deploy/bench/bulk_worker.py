"""Entry module of the bulk benchmark's worker: brings in the items of bulk jobs as a worker does, and has no engine."""

import os
import threading

from deploy.bench.jobs import null_result
from workers.filling import Filler
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.periodic import Periodic
from workers.recorder import Recorder
from workers.redis_client import connect
from workers.settings import Settings
from workers.storage import ObjectStore

_IDLE_SECONDS = 0.1


def main() -> None:
    """Claim and commit whatever there is, until killed."""
    settings = Settings.from_environment(os.environ)
    client = connect(settings.redis_url)
    store, objects = JobStore(client, settings.queue), ObjectStore(settings.storage)
    recorder = Recorder(store=store, reader=JobReader(client), objects=objects)
    filler = Filler(client, store=store, objects=objects)
    stop = threading.Event()
    filling = Periodic(
        "filler",
        lambda: filler.fill_all(holder="bench", wake=lambda _: None, stop=stop),
        interval_seconds=_IDLE_SECONDS,
    )
    filling.start()
    model = os.environ["SPADE_WORKER_MODELS"]
    while True:
        claim = store.claim(worker="null", device="none", models=[model], max_items=64, max_pixels=2**62)
        recorder.record(claim.ended_jobs)
        if claim.batch is not None:
            recorder.record(store.commit([null_result(item) for item in claim.batch.items]).ended_jobs)
        elif claim.more_waiting is None:
            stop.wait(_IDLE_SECONDS)


if __name__ == "__main__":
    main()
