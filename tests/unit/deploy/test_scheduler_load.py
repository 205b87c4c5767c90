"""What the simulated scheduler is asked for, and what would be fair."""

import random
from collections import Counter

import pytest

from deploy.bench.scheduler import shares_received
from deploy.bench.scheduler_load import BULK, arrivals, equal_owners, fair_shares, jain_index, unequal_owners


def test_fair_shares_give_small_owners_what_they_ask_for_and_the_others_the_same() -> None:
    assert fair_shares({"a": 1, "b": 10, "c": 20}, 15) == {"a": 1, "b": 7, "c": 7}
    assert fair_shares({"a": 1, "b": 2}, 15) == {"a": 1, "b": 2}


def test_the_index_of_jain_is_one_for_equal_amounts_and_a_part_of_them_where_one_has_all() -> None:
    assert jain_index([3, 3, 3, 3]) == 1
    assert jain_index([3, 0, 0, 0]) == 0.25


@pytest.mark.parametrize("workers", [100, 10_000])
def test_one_owner_has_nine_tenths_of_a_load_that_is_half_as_much_again_as_the_workers_can_do(workers: int) -> None:
    owners = unequal_owners(workers)
    assert len({owner.name for owner in owners}) == len(owners)
    assert sum(owner.demand for owner in owners) == pytest.approx(1.5)
    (bulk,) = (owner for owner in owners if owner.name.startswith(BULK))
    assert bulk.demand == pytest.approx(0.9 * 1.5)


def test_jobs_come_in_order_with_all_that_their_owners_ask_for() -> None:
    owners = unequal_owners(100)
    jobs = arrivals(owners, seconds=2.0, pictures=10_000, dice=random.Random(1))  # noqa: S311 - the same each time
    assert [job.seconds for job in jobs] == sorted(job.seconds for job in jobs)
    assert 0 == jobs[0].seconds < jobs[-1].seconds < 1.8
    items = Counter[str]()
    for job in jobs:
        items[job.owner.name] += job.items
    assert items == {owner.name: round(10_000 * owner.demand) for owner in owners}


def test_what_owners_received_is_held_against_what_more_urgent_classes_left() -> None:
    owners = unequal_owners(100)
    asked = {owner.name: round(1000 * owner.demand) for owner in owners}
    bulk = next(name for name in asked if name.startswith(BULK))
    fair = asked | {bulk: 1000 - sum(asked.values()) + asked[bulk]}
    assert shares_received(owners, fair, asked=1000) == pytest.approx(
        dict.fromkeys(asked, 1), abs=0.2
    )  # they are rounded
    starved = dict.fromkeys(asked, 0) | {bulk: 1000}
    shares = shares_received(owners, starved, asked=1000)
    assert shares.pop(bulk) > 1
    assert set(shares.values()) == {0}


def test_equal_owners_ask_for_twice_what_there_is_by_jobs_of_many_sizes() -> None:
    owners = equal_owners()
    assert sum(owner.demand for owner in owners) == pytest.approx(2)
    assert {owner.job_items for owner in owners} == {500, 50, 10, 1}
