"""An id that a client chose, kept to one request while it stores its inputs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from ulid import ULID

from api.errors import BeingSubmittedError
from workers.errors import QueueUnavailableError
from workers.job_store import JobStore

RESERVATION_SECONDS: Final = 30.0
"""Prolonged with every object that is stored; a request that was killed blocks its id no longer than this."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """`take`, then `keep` again and again, then `let_go`."""

    job_id: str
    job_store: JobStore
    holder: str = field(default_factory=lambda: str(ULID()))

    def take(self) -> None:
        """Raises BeingSubmittedError when another request has it, or QueueUnavailableError."""
        self._require(self.job_store.reserve(self.job_id, holder=self.holder, seconds=RESERVATION_SECONDS))

    def keep(self) -> None:
        """Prolong it. Raises BeingSubmittedError when it has run out, since another may have taken it."""
        self._require(self.job_store.keep_reserved(self.job_id, holder=self.holder, seconds=RESERVATION_SECONDS))

    def let_go(self) -> None:
        """It would run out by itself, so that Redis being away changes nothing about how the request ended."""
        try:
            self.job_store.unreserve(self.job_id, holder=self.holder)
        except QueueUnavailableError as error:
            _log.warning("reservation stays", extra={"job": self.job_id, "error": str(error)})

    def _require(self, held: bool) -> None:
        if not held:
            raise BeingSubmittedError(
                f"another request is submitting job {self.job_id!r} right now; ask for it shortly"
            )


@contextmanager
def reserved(job_id: str, job_store: JobStore) -> Iterator[Reservation]:
    """Keep an id that a client chose to this request for the block, so that no other one stores inputs under it.

    Raises BeingSubmittedError or QueueUnavailableError.
    """
    reservation = Reservation(job_id=job_id, job_store=job_store)
    reservation.take()
    try:
        yield reservation
    finally:
        reservation.let_go()
