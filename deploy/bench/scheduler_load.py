"""What the simulated service is asked for: owners of unequal demand, and when their jobs come."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from workers.messages import Priority

BULK, SMALL, URGENT = "bulk", "small", "urgent"
"""Kinds of owners, with which their names begin."""
_LOAD: Final = 1.5
"""Of what the workers can do: there is always too much."""
_BULK_SHARE, _SMALL_SHARE, _URGENT_SHARE = 0.9, 0.08, 0.02
_SMALL_OWNERS: Final = 20
_URGENT_OWNERS: Final = 4
_WORKERS_OF_A_SMALL_OWNER: Final = 50
_ARRIVING: Final = 0.9
"""Part of the time in which jobs come; what came could be handed out until its end."""
_EQUAL_OWNERS: Final = 16
_EQUAL_LOAD: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """`demand` is a part of what the workers can do in the time."""

    name: str
    priority: Priority
    demand: float
    job_items: int
    at_once: bool
    """All of it when the time begins, rather than spread over it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A job, `seconds` after the beginning."""

    seconds: float
    owner: Owner
    items: int


def unequal_owners(workers: int) -> tuple[Owner, ...]:
    """One whose 90 % of the load lie there from the beginning, many small ones, and some in a hurry."""
    small = max(_SMALL_OWNERS, workers // _WORKERS_OF_A_SMALL_OWNER)
    return (
        _owner(BULK, 0, Priority.NORMAL, _LOAD * _BULK_SHARE, job_items=1000, at_once=True),
        *(_owner(SMALL, n, Priority.NORMAL, _LOAD * _SMALL_SHARE / small, job_items=10) for n in range(small)),
        *(
            _owner(URGENT, n, Priority.INTERACTIVE, _LOAD * _URGENT_SHARE / _URGENT_OWNERS, job_items=1)
            for n in range(_URGENT_OWNERS)
        ),
    )


def equal_owners() -> tuple[Owner, ...]:
    """Sixteen who want the same, twice what there is, in jobs of 1 to 500 items, one owner's all before the next's."""
    demand = _EQUAL_LOAD / _EQUAL_OWNERS
    sizes = (500, 50, 10, 1)
    return tuple(
        _owner("equal", n, Priority.NORMAL, demand, job_items=sizes[n % len(sizes)], at_once=True)
        for n in range(_EQUAL_OWNERS)
    )


def _owner(
    kind: str, number: int, priority: Priority, demand: float, *, job_items: int, at_once: bool = False
) -> Owner:
    name = f"{kind}-{number:03}"
    return Owner(name=name, priority=priority, demand=demand, job_items=job_items, at_once=at_once)


def arrivals(owners: Sequence[Owner], *, seconds: float, pictures: float, dice: random.Random) -> list[Arrival]:
    """Every job in the order of its coming. The workers can make `pictures` in these `seconds`."""
    found = [one for owner in owners for one in _jobs_of(owner, seconds, round(owner.demand * pictures), dice)]
    return sorted(found, key=lambda one: one.seconds)  # stable: what comes at once stays in the owners' order


def _jobs_of(owner: Owner, seconds: float, items: int, dice: random.Random) -> Iterator[Arrival]:
    for first in range(0, items, owner.job_items):
        yield Arrival(
            seconds=0.0 if owner.at_once else dice.uniform(0, _ARRIVING * seconds),
            owner=owner,
            items=min(owner.job_items, items - first),
        )


def fair_shares(demands: dict[str, float], capacity: float) -> dict[str, float]:
    """What each owner of one class would get of `capacity` by max-min fairness: no more than it asks for."""
    shares: dict[str, float] = {}
    left = capacity
    for number, (name, demand) in enumerate(sorted(demands.items(), key=lambda one: one[1])):
        shares[name] = min(demand, left / (len(demands) - number))
        left -= shares[name]
    return shares


def jain_index(amounts: Sequence[float]) -> float:
    """1 where all are equal, 1 / n where one has everything (Jain, Chiu and Hawe 1984)."""
    return sum(amounts) ** 2 / (len(amounts) * sum(amount**2 for amount in amounts))
