"""Keeps the leases of everything this process has claimed alive, from a thread of its own."""

import threading
from collections.abc import Iterable

from workers.job_store import JobStore
from workers.messages import ClaimedItem
from workers.periodic import Periodic


class LeaseKeeper:
    """Renews leases three times per lease. A lease that cannot be renewed is lost at commit, not here."""

    def __init__(self, store: JobStore, *, lease_seconds: float) -> None:
        self._store = store
        self._items: dict[tuple[str, int], ClaimedItem] = {}
        self._lock = threading.Lock()
        self._renewal = Periodic("leases", self.renew, interval_seconds=lease_seconds / 3)

    def start(self) -> None:
        """Renew from now on."""
        self._renewal.start()

    def stop(self) -> None:
        """Renew no more."""
        self._renewal.stop()

    def hold(self, items: Iterable[ClaimedItem]) -> None:
        """Keep the leases of these items too."""
        with self._lock:
            self._items.update({(item.id, item.fence): item for item in items})

    def let_go(self, items: Iterable[ClaimedItem]) -> None:
        """Keep the leases of these items no longer."""
        with self._lock:
            for item in items:
                self._items.pop((item.id, item.fence), None)

    def renew(self) -> None:
        """Renew every lease now; those of items that are no longer ours are forgotten.

        Raises `QueueUnavailableError`; the next renewal may still come in time.
        """
        with self._lock:
            items = list(self._items.values())
        if not items:
            return
        held = self._store.advance(items)
        self.let_go(item for item, still_ours in zip(items, held, strict=True) if not still_ours)
