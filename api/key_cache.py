"""Records of API keys as a process of the API remembers them: for a moment, so that a revoked key is of no use soon."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from workers.errors import StorageUnavailableError
from workers.key_store import KeyStore
from workers.keys import KeyRecord

FRESH_SECONDS: Final = 3.0
"""A rotation or a revocation takes effect in this time, and what it takes to read the record."""
TURN_SECONDS: Final = 2.0
MAX_RECORDS: Final = 1000


class KeyCache:
    """Asks the store for what it has not asked for just now, one thread at a time.

    A store that hangs would otherwise keep every thread of the process; so that all but one are free after
    TURN_SECONDS.
    """

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._turn = threading.Lock()
        self._records: dict[str, tuple[float, KeyRecord | None]] = {}
        self._configured = False
        self._asked: float | None = None

    def find(self, key_id: str, *, outage_seconds: float = 0.0) -> KeyRecord | None:
        """The key's record, as it was at most FRESH_SECONDS ago.

        While the store is away, a record that was read at most `outage_seconds` ago will do. Raises
        `StorageUnavailableError` where there is none.
        """
        try:
            return self._find(key_id)
        except StorageUnavailableError:
            known = self._records.get(key_id)
            if known is None or time.monotonic() - known[0] > outage_seconds:
                raise
            return known[1]

    def _find(self, key_id: str) -> KeyRecord | None:
        known = self._records.get(key_id)
        if known is None or not _is_fresh(known[0]):
            with self._its_turn():
                known = self._records.get(key_id)  # another thread may have asked meanwhile
                if known is None or not _is_fresh(known[0]):
                    known = (time.monotonic(), self._store.find(key_id))
                    self._remember(key_id, known)
        return known[1]

    def are_configured(self) -> bool:
        """Whether there ever was a key. Once there was, this stays so for the life of the process.

        While the store is away the last answer holds: without it, nobody can make the first key either. Raises
        `StorageUnavailableError` where there is no answer yet.
        """
        if self._configured or (self._asked is not None and _is_fresh(self._asked)):
            return self._configured
        try:
            with self._its_turn():
                if not self._configured:
                    began = time.monotonic()
                    self._configured = self._store.are_configured()
                    self._asked = began
        except StorageUnavailableError:
            if self._asked is None:
                raise
            self._asked = time.monotonic()
        return self._configured

    def _remember(self, key_id: str, known: tuple[float, KeyRecord | None]) -> None:
        if len(self._records) >= MAX_RECORDS:  # ids that somebody made up
            self._records = {}
        self._records[key_id] = known

    @contextmanager
    def _its_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=TURN_SECONDS):
            raise StorageUnavailableError("the object store has not answered yet for another API key")
        try:
            yield
        finally:
            self._turn.release()


def _is_fresh(asked: float) -> bool:
    return time.monotonic() - asked < FRESH_SECONDS
