"""Keeps the leases of everything this process has claimed alive, from a thread of its own."""

import logging
import threading
from collections.abc import Iterable

from workers.errors import QueueUnavailableError
from workers.job_store import JobStore
from workers.messages import ClaimedItem

_log = logging.getLogger(__name__)


class LeaseKeeper:
    """Renews leases three times per lease. A lease that cannot be renewed is lost at commit, not here."""

    def __init__(self, store: JobStore, *, lease_seconds: float) -> None:
        self._store = store
        self._interval_seconds = lease_seconds / 3
        self._items: dict[tuple[str, int], ClaimedItem] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def hold(self, items: Iterable[ClaimedItem]) -> None:
        with self._lock:
            self._items.update({(item.id, item.fence): item for item in items})

    def let_go(self, items: Iterable[ClaimedItem]) -> None:
        with self._lock:
            for item in items:
                self._items.pop((item.id, item.fence), None)

    def renew(self) -> None:
        """Renew every lease now; those of items that are no longer ours are forgotten."""
        with self._lock:
            items = list(self._items.values())
        if not items:
            return
        held = self._store.advance(items)
        self.let_go(item for item, still_ours in zip(items, held, strict=True) if not still_ours)

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_seconds):
            try:
                self.renew()
            except QueueUnavailableError as error:
                _log.warning("leases not renewed", extra={"error": str(error)})
