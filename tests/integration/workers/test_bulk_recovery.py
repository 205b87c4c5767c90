"""Bulk jobs that come back after a loss of Redis, while something else goes wrong."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from support.bench import Bench
from support.bulk_jobs import audit, submit
from support.jobs import claim, claim_batch, result_of
from support.recovery import Recoverer
from workers.dead_letters import DeadLetters
from workers.messages import State
from workers.publishing import Stored
from workers.recovery import Outcome
from workers.scripts import Scripts
from workers.traces import Ending


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
    batch = claim_batch(bench.store, items=2)
    results = [result_of(item) for item in batch.items]
    for result in results:
        bench.objects.put(result.picture_key, b"picture")
    bench.client.flushall()
    commit, stored = bench.pipeline._parts.publisher.commit, [Stored(result=result, stages=()) for result in results]
    bench.filler._scripts = Interrupted(bench.filler._scripts, "fill", partial(commit, batch, stored, Ending.PUBLISHED))
    assert lost.recovery.requeue().jobs == {Outcome.OPENED: 1}
    assert bench.states("j") == [State.SUCCEEDED, State.SUCCEEDED, State.QUEUED]
    assert audit(lost) == {}


def test_an_item_whose_picture_is_to_be_made_again_does_not_go_back_to_an_older_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Recoverer.of(bench)
    submit(bench, "j", 2, stored=2)
    bench.filler.fill("j")
    held = claim_batch(bench.store, items=1)
    while (batch := claim(bench.store).batch) is not None:
        bench.store.lose(batch.items, detail="it crashed")
    bench.recorder.record_leftovers()
    letters = DeadLetters(bench.client, reader=bench.reader, repairs=lost.repairs, recorder=bench.recorder)
    with monkeypatch.context() as killed:  # before it noted in the journal that the item waits again
        killed.setattr(bench.recorder, "record_reopened", lambda *_: None)
        letters.retry(["j:1"])
    lost.work()
    assert [item.index for item in held.items] == [0]
    bench.client.flushall()
    lost.recovery.requeue()
    assert bench.states("j") == [State.QUEUED, State.SUCCEEDED]
    bench.objects.delete(bench.reader.item("j", 1).picture_key or "")
    assert audit(lost, fix=True) == {"picture-missing": 1}
    bench.client.flushall()
    lost.recovery.requeue()
    assert bench.states("j") == [State.QUEUED, State.QUEUED]
