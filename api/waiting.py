"""Requests that wait for a job: `Prefer: wait=N` when it is submitted, `?wait=N` when it is read."""

import time
from collections.abc import Callable
from typing import Final

from werkzeug.http import parse_dict_header

from api.access import stay_let_in
from api.callers import current_caller
from api.services import Services
from api.timing import times
from workers.messages import JobView

MAX_WAIT_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 1.0
"""After so long the job is looked at without news, for those that get lost, for the end of the process, and for keys
that are revoked."""


def preferred_wait(prefer: str) -> float:
    """Seconds that a header `Prefer: wait=N` (RFC 7240) asks for, at most MAX_WAIT_SECONDS; 0 where it does not."""
    preferences = parse_dict_header(prefer)
    text = (preferences.get("wait") or "").partition(";")[0].strip()
    return min(float(text), MAX_WAIT_SECONDS) if text.isascii() and text.isdigit() else 0.0


def wait_for(
    services: Services, job_id: str, *, owner: str | None, seconds: float, enough: Callable[[JobView], bool]
) -> JobView:
    """The job as soon as `enough` says so, or after `seconds`, at most MAX_WAIT_SECONDS.

    Answers at once when all places for waiting are taken, so that there are always threads for other requests, and when
    the process is to end.
    Raises JobUnknownError, JobExpiredError or QueueUnavailableError; KeyRefusedError when the caller's key was revoked
    meanwhile, and StorageUnavailableError when nobody can tell.
    """
    reader = services.job_reader
    deadline = time.monotonic() + min(seconds, MAX_WAIT_SECONDS)
    job = reader.job(job_id, owner=owner)
    if enough(job) or seconds <= 0 or not services.waiting_places.acquire(blocking=False):
        return job
    try:
        with times().stage("wait"), reader.listening(job_id) as changed:
            job = reader.job(job_id, owner=owner)
            while not enough(job) and not services.stopping.is_set() and (left := deadline - time.monotonic()) > 0:
                changed(min(left, LOOK_SECONDS))
                stay_let_in(current_caller(), services.keys)
                job = reader.job(job_id, owner=owner)
        return job
    finally:
        services.waiting_places.release()
