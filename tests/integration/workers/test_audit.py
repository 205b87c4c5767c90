"""The audit: silent where all is well, and every fault that is planted is found and, where it can be, mended."""

from collections.abc import Callable
from typing import Any

import pytest

from support.bench import Bench
from support.jobs import OWNER, claim_batch, job_spec
from support.recovery import Recoverer
from workers.audit import Audit, Report
from workers.messages import State, label_map_key, picture_key, record_key, spec_key
from workers.redis_client import PREFIX

MENDED: dict[str, tuple[str, Callable[[Recoverer], object]]] = {
    "a lost job": ("job-lost", lambda r: r.store("accepted", 1)),
    "inputs of a refused one": ("orphan-object", lambda r: r.bench.objects.put(label_map_key("refused", 0), b"x")),
    "a late picture": ("orphan-object", lambda r: r.bench.objects.put(picture_key("done", 0, 1, "png"), b"x")),
    "a picture of no item": ("orphan-object", lambda r: r.bench.objects.put(picture_key("done", 77, 1, "png"), b"x")),
    "objects of a removed job": ("orphan-object", lambda r: (r.bench.store.forget("canceled"), r.store("canceled", 0))),
    "no record": ("record-missing", lambda r: r.bench.objects.delete(record_key("done"))),
    "no description": ("description-missing", lambda r: r.bench.objects.delete(spec_key("waiting"))),
    "no picture": ("picture-missing", lambda r: r.bench.objects.delete(picture_of(r, "done:1"))),
    "a damaged picture": ("picture-damaged", lambda r: r.bench.objects.put(picture_of(r, "done:1"), b"torn")),
    "wrong counts": ("counts-wrong", lambda r: put(r, "job:waiting", queued=7)),
    "an ended job called open": (
        "ended-job-called-open",
        lambda r: r.bench.client.hdel(f"{PREFIX}job:done", "finished_ms"),
    ),
    "an open job called ended": (
        "open-job-called-ended",
        lambda r: put(r, "job:waiting", finished_ms=1, state="failed"),
    ),
    "an ended job that nobody will remove": (
        "ended-job-not-listed",
        lambda r: r.bench.client.zrem(f"{PREFIX}ended", "done"),
    ),
    "a queued item that nobody will claim": (
        "queued-item-not-listed",
        lambda r: r.bench.client.delete(f"{PREFIX}pending:1:{OWNER}:{job_spec('x', height=8, width=8).bucket}"),
    ),
    "a running item that nobody will take back": (
        "running-item-without-lease",
        lambda r: r.bench.client.zrem(f"{PREFIX}leases", claim_batch(r.bench.store, items=1).items[0].id),
    ),
    "a wrong sum of stored bytes": ("stored-bytes-wrong", lambda r: put(r, "stored", **{OWNER: 1})),
    "wrong bytes of a job": ("stored-bytes-wrong", lambda r: r.bench.client.hset(f"{PREFIX}job:done", "stored", 0)),
    "wrong sums of open items": ("open-count-wrong", lambda r: put(r, "open", items=99)),
}
REPORTED: dict[str, tuple[str, Callable[[Recoverer], object]]] = {
    "an item that is gone": ("item-missing", lambda r: r.bench.client.delete(f"{PREFIX}item:waiting:1")),
    "an input that is gone": ("input-missing", lambda r: r.bench.objects.delete(label_map_key("waiting", 0))),
    "a lost job that cannot be read": ("job-lost", lambda r: r.bench.objects.put(spec_key("damaged"), b"{")),
    "an item that was never counted": (
        "totals-do-not-balance",
        lambda r: put(r, "totals", **{"items|landscape|succeeded|": 1}),
    ),
}


def put(recoverer: Recoverer, key: str, **values: Any) -> None:
    recoverer.bench.client.hset(f"{PREFIX}{key}", mapping=values)


def picture_of(recoverer: Recoverer, item: str) -> str:
    job_id, _, index = item.rpartition(":")
    return recoverer.bench.reader.item(job_id, int(index)).picture_key or ""


@pytest.fixture
def stores(bench: Bench) -> Recoverer:
    """Jobs in all states: those that wait are of one bucket."""
    recoverer = Recoverer.of(bench)
    recoverer.jobs_in_all_states()
    return recoverer


def audit(stores: Recoverer, *, fix: bool = False, digests: bool = True, safe_age: float = 0.0) -> Report:
    return Audit(
        repairs=stores.repairs,
        reader=stores.bench.reader,
        objects=stores.bench.objects,
        recorder=stores.bench.recorder,
        recovery=stores.recovery,
        retention_seconds=3600.0,
        safe_age_seconds=safe_age,
        fix=fix,
        digests=digests,
    ).run()


def test_where_all_is_well_nothing_is_found_and_the_items_balance(stores: Recoverer) -> None:
    report = audit(stores)
    assert not report.found, report.examples
    assert report.balance is not None
    assert (report.balance.accepted, report.balance.open_items, report.balance.missing) == (19, 5, 0)
    assert report.balance.ended == {State.SUCCEEDED: 9, State.FAILED: 2, State.CANCELED: 2, State.EXPIRED: 1}
    assert report.jobs == 7
    stores.work()
    assert not audit(stores, fix=True).found


def test_after_a_loss_of_redis_and_a_requeue_it_balances(stores: Recoverer) -> None:
    stores.bench.client.flushall()
    assert audit(stores).found == {"job-lost": 7}
    stores.recovery.requeue()
    assert not audit(stores).found
    stores.work()
    assert not audit(stores).found


@pytest.mark.parametrize("name", MENDED)
def test_a_planted_fault_is_found_and_mended(stores: Recoverer, name: str) -> None:
    kind, plant = MENDED[name]
    plant(stores)
    found = audit(stores)
    assert found.found[kind] > 0, found.examples
    assert found.wrong == found.found.total()
    mended = audit(stores, fix=True)
    assert mended.wrong == 0, mended.examples
    stores.bench.recorder.record_leftovers()
    again = audit(stores)
    assert not again.found, again.examples
    stores.work()
    assert not audit(stores).found
    assert stores.bench.reader.stats().open_items == 0


@pytest.mark.parametrize("name", REPORTED)
def test_what_cannot_be_mended_is_told_again_and_again(stores: Recoverer, name: str) -> None:
    kind, plant = REPORTED[name]
    plant(stores)
    assert audit(stores, fix=True).wrong > 0
    assert audit(stores).found[kind] == 1


def test_what_is_young_is_left_alone(stores: Recoverer) -> None:
    objects = stores.bench.objects
    objects.put(label_map_key("being-stored", 0), b"x")
    objects.put(picture_key("waiting", 0, 1, "png"), b"x")
    stores.store("being-submitted", 1)
    objects.delete(record_key("done"))
    assert not audit(stores, fix=True, safe_age=60).found
    assert objects.get(label_map_key("being-stored", 0)) == b"x"


def test_an_upload_under_way_is_no_orphan(stores: Recoverer) -> None:
    held = claim_batch(stores.bench.store, items=1).items[0]
    stores.bench.objects.put(picture_key(held.job_id, held.index, held.fence, "png"), b"x")
    assert not audit(stores, fix=True).found


def test_jobs_of_which_the_object_store_has_nothing_are_looked_at_too(stores: Recoverer) -> None:
    stores.bench.objects.delete_prefix("jobs/done/")
    found = {"picture-missing": 4, "description-missing": 1, "record-missing": 1, "stored-bytes-wrong": 1}
    assert audit(stores).found == found
    assert audit(stores, fix=True).wrong == 0


def test_jobs_whose_time_is_over_are_left_to_the_reaper(stores: Recoverer) -> None:
    put(stores, "job:done", finished_ms=1000)
    stores.bench.objects.delete_prefix("jobs/done/pictures/")
    assert not audit(stores, fix=True).found
