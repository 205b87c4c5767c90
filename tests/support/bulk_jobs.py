"""Bulk jobs as the API accepts them, and an audit of what became of them."""

import numpy as np

from spade.label_images import encode_ids_png
from support.bench import SIZE, Bench
from support.jobs import OWNER, job_spec
from support.recovery import Recoverer
from workers.audit import Audit
from workers.bulk import palette_key, write_listing
from workers.bulk_inputs import BulkInputs
from workers.messages import JobSpec, spec_key


def submit(bench: Bench, job_id: str, maps: int, *, owner: str = OWNER, stored: int = 0, **changes: object) -> JobSpec:
    """A bulk job as the API accepts it; so many of its label maps are there."""
    keys = [f"inputs/{job_id}/{number:05}.png" for number in range(maps)]
    for number, key in enumerate(keys[:stored]):
        bench.objects.put(key, encode_ids_png(np.full((2 * SIZE, 2 * SIZE), number % 13, np.uint16)))
    values = {"height": SIZE, "width": SIZE, "owner": owner, **changes}
    spec = job_spec(job_id, 0, bulk=BulkInputs(maps=maps, variations=1, seed=0), **values)
    inputs = write_listing(job_id, dict.fromkeys(keys)) | {palette_key(job_id): b"a palette of its own"}
    for key, data in inputs.items():
        bench.objects.put(key, data)
    bench.objects.put(spec_key(job_id), spec.to_json().encode())
    bench.store.submit(spec, input_bytes=sum(map(len, inputs.values())))
    return spec


def audit(lost: Recoverer, *, fix: bool = False) -> dict[str, int]:
    """What is wrong, by kind."""
    bench = lost.bench
    return dict(
        Audit(
            repairs=lost.repairs,
            reader=bench.reader,
            objects=bench.objects,
            recorder=bench.recorder,
            recovery=lost.recovery,
            retention_seconds=3600.0,
            safe_age_seconds=0.0,
            fix=fix,
        )
        .run()
        .found
    )
