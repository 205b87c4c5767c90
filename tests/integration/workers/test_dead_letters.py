"""Items that were given up: listed, and put back with fresh losses."""

import json

import pytest

from support.bench import Bench
from support.jobs import claim, claim_batch, job_spec
from support.recovery import Recoverer
from workers.dead_letters import DeadLetters
from workers.errors import DeadLetterUnknownError
from workers.messages import State, record_key
from workers.redis_client import PREFIX
from workers.repairs import Repairs, RetryAnswer


@pytest.fixture
def letters(bench: Bench) -> DeadLetters:
    repairs = Repairs(bench.client)
    return DeadLetters(bench.client, reader=bench.reader, repairs=repairs, recorder=bench.recorder)


def kill(bench: Bench, job_id: str) -> None:
    """Lose the item that waits, until it is given up."""
    while (batch := claim(bench.store).batch) is not None:
        assert {item.job_id for item in batch.items} == {job_id}
        bench.recorder.record(bench.store.lose(batch.items, detail="it crashed"))


def test_dead_letters_are_listed_oldest_first_with_what_is_known(bench: Bench, letters: DeadLetters) -> None:
    for name in ("a", "b"):
        bench.store.submit(job_spec(name))
        kill(bench, name)
    assert letters.ids() == ["a:0", "b:0"]
    assert [letter.id for letter in letters.oldest(1)] == ["a:0"]
    letter = letters.letter("b:0")
    assert (letter.job.model, letter.item.detail, letter.item.attempts) == ("landscape", "it crashed", 3)
    for name in ("a:1", "none:0", "nonsense"):
        with pytest.raises(DeadLetterUnknownError, match=name):
            letters.letter(name)


def test_a_retried_item_is_tried_as_often_as_a_new_one_and_its_job_is_open(bench: Bench, letters: DeadLetters) -> None:
    bench.store.submit(job_spec("j"))
    kill(bench, "j")
    assert bench.reader.job("j").state is State.FAILED
    assert letters.retry(["j:0"]) == {"j:0": RetryAnswer.RETRIED}
    job, item = bench.reader.job("j"), bench.reader.item("j", 0)
    assert (job.state, job.finished_ms, job.counts[State.QUEUED]) == (State.RUNNING, None, 1)
    assert (item.state, item.reason, item.detail, item.attempts) == (State.QUEUED, None, None, 3)
    assert (letters.count(), bench.reader.stats().open_items) == (0, 1)
    assert bench.store.jobs_past_retention() == []
    kill(bench, "j")
    assert bench.reader.item("j", 0).attempts == 6
    assert bench.reader.job("j").state is State.FAILED


def test_a_retried_item_may_succeed_and_the_totals_balance(bench: Bench, letters: DeadLetters) -> None:
    lost = Recoverer.of(bench)
    lost.submit("j", 1)
    kill(bench, "j")
    lost.submit("healthy", 2)
    lost.work()
    letters.retry(["j:0"])
    assert lost.work() == ["j:0"]
    assert bench.reader.job("j").state is State.SUCCEEDED
    stats = bench.reader.stats()
    counts = {(t.kind, t.state): t.count for t in stats.totals}
    assert (
        counts["items", "accepted"] + counts["items", "retried"]
        == counts["items", "succeeded"] + counts["items", "failed"]
    )
    assert (
        counts["jobs", "accepted"] + counts["jobs", "retried"] == counts["jobs", "succeeded"] + counts["jobs", "failed"]
    )
    assert stats.open_items == stats.open_pixels == 0


def test_a_retry_is_recorded_so_that_a_loss_of_redis_does_not_undo_it(bench: Bench, letters: DeadLetters) -> None:
    lost = Recoverer.of(bench)
    lost.submit("j", 1)
    kill(bench, "j")
    assert json.loads(bench.objects.get(record_key("j")))["state"] == "failed"
    letters.retry(["j:0"])
    bench.client.flushall()
    lost.recovery.requeue()
    assert lost.states("j") == [State.QUEUED]
    assert lost.work() == ["j:0"]


def test_what_is_no_dead_letter_is_not_put_back(bench: Bench, letters: DeadLetters) -> None:
    bench.store.submit(job_spec("waiting"))
    bench.store.submit(job_spec("unreadable"))
    bench.store.release(claim_batch(bench.store, items=1).items)
    assert set(letters.retry(["waiting:0", "unreadable:0", "none:0"]).values()) == {RetryAnswer.UNLIKE}
    assert bench.reader.stats().open_items == 2


def test_an_item_past_its_deadline_is_not_put_back(bench: Bench, letters: DeadLetters) -> None:
    bench.store.submit(job_spec("j", deadline_seconds=3600.0))
    kill(bench, "j")
    bench.client.hset(f"{PREFIX}job:j", mapping={"deadline_ms": "1"})
    assert letters.retry(["j:0"]) == {"j:0": RetryAnswer.LATE}
    assert letters.ids() == ["j:0"]
