"""Bulk jobs that come back after a loss of Redis, while something else goes wrong."""

from collections.abc import Callable
from typing import Any

from support.bench import Bench
from support.bulk_jobs import audit, submit
from support.jobs import claim_batch, result_of
from support.recovery import Recoverer
from workers.messages import State
from workers.recovery import Outcome
from workers.scripts import Scripts


class Interrupted:
    """Scripts, before one of which something else happens once."""

    def __init__(self, scripts: Scripts, name: str, happens: Callable[[], object]) -> None:
        self._scripts = scripts
        self._name = name
        self._happens: Callable[[], object] | None = happens

    def run(self, name: str, *arguments: str | int | float) -> Any:
        if name == self._name and self._happens is not None:
            happens, self._happens = self._happens, None
            happens()
        return self._scripts.run(name, *arguments)


def test_a_picture_that_a_worker_commits_before_its_item_is_back_stays_the_result(bench: Bench) -> None:
    lost = Recoverer.of(bench)
    submit(bench, "j", 3, stored=3)
    bench.filler.fill("j")
    results = [result_of(item) for item in claim_batch(bench.store, items=2).items]
    for result in results:
        bench.objects.put(result.picture_key, b"picture")
    bench.client.flushall()
    commit = bench.pipeline._parts.publisher.commit
    bench.filler._scripts = Interrupted(bench.filler._scripts, "fill", lambda: commit("landscape", results, pixels=64))
    assert lost.recovery.requeue().jobs == {Outcome.OPENED: 1}
    assert bench.states("j") == [State.SUCCEEDED, State.SUCCEEDED, State.QUEUED]
    assert audit(lost) == {}
