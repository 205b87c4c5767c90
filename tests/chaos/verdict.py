"""After the faults: wait for the queue to drain, mend what may be mended, then hold everything against the ledger."""

import hashlib
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from api.client import SpadeClient
from api.client_errors import ClientError
from chaos.engine import KILLS_ALWAYS, picture_of
from chaos.load import Ledger, Request
from deploy.store_access import StoreAccess
from spade.pictures import encode_picture
from workers.audit import Report
from workers.messages import ItemView, JobView, State
from workers.redis_client import PREFIX

_DRAIN_SECONDS: Final = 300.0
_OWNER: Final = "local"


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What is wrong, by kind, and figures. Nothing may be wrong."""

    wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    jobs: Counter[str] = field(default_factory=Counter)
    items: Counter[str] = field(default_factory=Counter)
    audit: Counter[str] = field(default_factory=Counter)  # what the audit found and mended
    given_up_wrongly: int = 0  # lost three times alone to faults of others, and then put back by hand


def judge(stores: StoreAccess, client: SpadeClient, ledger: Ledger) -> Verdict:
    """Drain, mend, compare."""
    verdict = Verdict()
    if not _drained(stores):
        verdict.wrong["not drained"].append(str(stores.reader.stats()))
        return verdict
    _retry_innocents(stores, ledger, verdict)
    first = stores.audit(safe_age_seconds=0, fix=True, digests=True).run()
    verdict.audit.update(first.found)
    if not _drained(stores):
        verdict.wrong["not drained after the audit"].append(str(stores.reader.stats()))
    _note_faults(stores.audit(safe_age_seconds=0, fix=False, digests=True).run(), verdict)
    _compare(stores, client, ledger, verdict)
    return verdict


def _drained(stores: StoreAccess) -> bool:
    deadline, pause = time.monotonic() + _DRAIN_SECONDS, threading.Event()
    while stores.reader.stats().open_items or stores.client.zcard(f"{PREFIX}unrecorded"):
        if time.monotonic() > deadline:
            return False
        pause.wait(0.1)
    return True


def _retry_innocents(stores: StoreAccess, ledger: Ledger, verdict: Verdict) -> None:
    """Items that were given up although they kill nobody: each of their three workers was killed by another fault."""
    innocents = []
    for name in stores.dead_letters.ids():
        letter = stores.dead_letters.letter(name)
        if not _kills(ledger.requests[letter.job.labels["tag"]], letter.item.index):
            innocents.append(name)
    verdict.given_up_wrongly = len(innocents)
    stores.dead_letters.retry(innocents)
    if not _drained(stores):
        verdict.wrong["not drained after a retry"].append(str(innocents))


def _note_faults(report: Report, verdict: Verdict) -> None:
    for kind, places in report.examples.items():
        verdict.wrong[f"audit: {kind}"] += places
    assert report.balance is not None
    verdict.items["accepted"] = report.balance.accepted
    verdict.items.update({state.value: count for state, count in report.balance.ended.items()})


def _compare(stores: StoreAccess, client: SpadeClient, ledger: Ledger, verdict: Verdict) -> None:
    jobs = list(stores.reader.jobs(_OWNER))
    by_tag = defaultdict(list)
    for job in jobs:
        by_tag[job.labels["tag"]].append(job)
    verdict.jobs.update(stored=len(jobs), acknowledged=len(ledger.acknowledged))
    for tag, job_id in ledger.acknowledged.items():
        if job_id not in [job.id for job in by_tag[tag]]:
            verdict.wrong["acknowledged job lost"].append(job_id)
    for tag, same in by_tag.items():
        if len(same) > 1:
            verdict.wrong["job accepted twice"].append(tag)
        if tag not in ledger.acknowledged:
            verdict.jobs["unacknowledged"] += 1
        for job in same:
            _check_job(stores, client, ledger, job, ledger.requests[tag], verdict)
    verdict.wrong["picture changed"] += ledger.changed
    verdict.wrong["client was given an error"] += ledger.errors
    verdict.wrong = {kind: places for kind, places in verdict.wrong.items() if places}


def _check_job(
    stores: StoreAccess, client: SpadeClient, ledger: Ledger, job: JobView, request: Request, verdict: Verdict
) -> None:
    verdict.jobs[job.state] += 1
    items = stores.reader.items(job)
    settled = Counter(item.index for item in stores.reader.settled_items(job, start=0, count=10**6))
    for item in items:
        name = f"{job.id}:{item.index}"
        retried = item.state is State.SUCCEEDED and settled[item.index] == 2 and item.reason is None
        if settled[item.index] != 1 and not (verdict.given_up_wrongly and retried):
            verdict.wrong["settled not once"].append(f"{name} {settled[item.index]}")
        if wrong := _wrong_end(item, request):
            verdict.wrong[wrong].append(f"{name} {item.state} {item.reason} {item.detail}")
    if any(item.state is State.SUCCEEDED for item in items):
        _check_pictures(client, ledger, job, request, verdict)


def _wrong_end(item: ItemView, request: Request) -> str | None:
    if _kills(request, item.index):
        ended = item.state is State.FAILED and item.reason == "poison"
        return None if ended else "killer did not end as poison"
    allowed = {State.SUCCEEDED, State.CANCELED}
    if request.parameters.deadline_seconds is not None:
        allowed.add(State.EXPIRED)
    return None if item.state in allowed else "item ended wrongly"


def _check_pictures(client: SpadeClient, ledger: Ledger, job: JobView, request: Request, verdict: Verdict) -> None:
    """As a client sees them: bytes, digest, and what the engine has to make of this input."""
    for item in client.job(job.id).items:
        if item.image is None:
            continue
        try:
            content = client.picture(item)
        except ClientError as error:
            verdict.wrong["picture cannot be had"].append(f"{job.id}:{item.index} {error}")
            continue
        ledger.note_picture(job.id, item.index, content)
        ids = request.label_maps[item.index // request.parameters.variations].astype(np.int32)
        expected = encode_picture(picture_of(ids, item.seed), job.picture_format, job.picture_quality)
        if hashlib.sha256(content).digest() != hashlib.sha256(expected).digest():
            verdict.wrong["picture is another"].append(f"{job.id}:{item.index}")
        verdict.items["pictures compared"] += 1


def _kills(request: Request, index: int) -> bool:
    return bool(request.label_maps[index // request.parameters.variations][0, 0] == KILLS_ALWAYS)
