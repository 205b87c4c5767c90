"""The frozen list of a bulk job's label maps, where somebody has harmed it."""

import pytest

from support.bench import Bench
from support.jobs import job_spec
from workers.bulk import listing_key
from workers.messages import BulkInputs, State, spec_key


@pytest.mark.parametrize("list_of_maps", [None, b'["inputs/j/0.png"', b'["inputs/j/0.png", null]\n'])
def test_items_whose_list_is_gone_or_damaged_fail_with_its_name(bench: Bench, list_of_maps: bytes | None) -> None:
    spec = job_spec("j", 0, bulk=BulkInputs(maps=2, variations=1, seed=0))
    bench.objects.put(spec_key("j"), spec.to_json().encode())
    if list_of_maps is not None:
        bench.objects.put(listing_key("j", 0), list_of_maps)
    bench.store.submit(spec)
    bench.filler.fill("j")
    bench.pipeline.drain(seconds=60)
    assert bench.reader.job("j").state is State.FAILED
    for item in bench.reader.items(bench.reader.job("j")):
        assert (item.state, "00000.jsonl" in item.file + (item.detail or "")) == (State.FAILED, True)
