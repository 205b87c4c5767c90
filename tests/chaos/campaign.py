"""A campaign: a stack, clients that keep it busy, faults one after another, and the verdict."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.client import SpadeClient
from chaos.faults import FaultNotSeenError, Faults
from chaos.load import Ledger, Load
from chaos.stack import ChaosStack, chaos_stack
from chaos.verdict import Verdict, judge
from deploy.store_access import StoreAccess
from support.fault_proxy import Mode

_LONGEST_PAUSE_SECONDS: Final = 0.8
_FIRST_PICTURES_SECONDS: Final = 60.0


@dataclass(slots=True, kw_only=True)
class Campaign:
    """What was done, and what came of it."""

    seed: int
    struck: Counter[str] = field(default_factory=Counter)
    not_seen: list[str] = field(default_factory=list)
    seconds: Counter[str] = field(default_factory=Counter)  # spent on each kind of fault
    restarts: int = 0
    object_store_answers: dict[str, int] = field(default_factory=dict)  # requests struck, by mode
    requests: dict[str, int] = field(default_factory=dict)  # by what clients asked for
    verdict: Verdict
    wall_seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every fault struck and nothing is wrong."""
        return not self.not_seen and not self.verdict.wrong


def run_campaign(
    state: Path,
    environment: Mapping[str, str],
    *,
    faults: int,
    seconds: float,
    seed: int,
    say: Callable[[str], None] = lambda _: None,
) -> Campaign:
    """Strike so many faults, or for so long if that is over first, then judge. Everything is stopped afterwards."""
    began = time.monotonic()
    events: list[str] = []
    draw = random.Random(seed)  # noqa: S311 - to be repeated, not kept secret
    campaign = Campaign(seed=seed, verdict=Verdict())
    with chaos_stack(state, dict(environment), events.append) as stack:
        with SpadeClient(stack.url) as client:
            client.models()
            load = Load(stack.url, state, seed)
            with load.running() as ledger:
                _await_pictures(ledger)
                _strike_all(Faults(stack, client, load, draw), campaign, draw, faults, began + seconds, say)
                stack.proxy.mode = Mode.PASS
                say("no more faults; clients end what they have begun")
            say("waiting for the queue to drain, then comparing everything")
            with _stores(stack) as stores:
                campaign.verdict = judge(stores, client, ledger)
        campaign.object_store_answers = {mode.value: count for mode, count in stack.proxy.struck.items()}
        campaign.requests = dict(ledger.acts)
    campaign.restarts = sum("is started again" in event for event in events)
    campaign.wall_seconds = time.monotonic() - began
    return campaign


def _strike_all(
    faults: Faults, campaign: Campaign, draw: random.Random, most: int, until: float, say: Callable[[str], None]
) -> None:
    """Every kind once in random order, again and again."""
    pause, kinds = threading.Event(), []
    while campaign.struck.total() < most and time.monotonic() < until:
        kinds = kinds or draw.sample(list(faults.kinds), len(faults.kinds))
        kind = kinds.pop()
        began = time.monotonic()
        try:
            faults.strike(kind)
        except FaultNotSeenError as error:
            campaign.not_seen.append(f"{kind}: {error}")
        campaign.struck[kind] += 1
        campaign.seconds[kind] += time.monotonic() - began
        say(f"{campaign.struck.total()}/{most} {kind}")
        pause.wait(draw.uniform(0, _LONGEST_PAUSE_SECONDS))


def _await_pictures(ledger: Ledger) -> None:
    """Faults are to meet a service at work. Raises `RuntimeError` where it does not work even without them."""
    deadline, pause = time.monotonic() + _FIRST_PICTURES_SECONDS, threading.Event()
    while not ledger.seen:
        if ledger.errors or time.monotonic() > deadline:
            raise RuntimeError(f"no picture before the first fault: {ledger.errors[:3]}")
        pause.wait(0.05)


@contextmanager
def _stores(stack: ChaosStack) -> Iterator[StoreAccess]:
    stores = StoreAccess.of(stack.settings)
    try:
        yield stores
    finally:
        stores.client.close()
