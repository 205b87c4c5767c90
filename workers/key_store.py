"""Where the records of API keys lie: in the object store, one object each, so that they outlive a loss of Redis."""

import logging
from typing import Final

from workers.errors import KeyUnknownError, ObjectMissingError
from workers.keys import KeyRecord, NewKey, Scope, new_key, revoked, rotated
from workers.limits import KeyLimits
from workers.storage import ObjectStore

KEYS_PREFIX: Final = "keys/"

_log = logging.getLogger(__name__)


class KeyStore:
    """The records. Every method raises `StorageUnavailableError` when the object store is away."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def are_configured(self) -> bool:
        """Whether there ever was a key; records of revoked ones count, damaged ones too."""
        return next(self._objects.keys(KEYS_PREFIX), None) is not None

    def find(self, key_id: str) -> KeyRecord | None:
        """The record of a key, revoked or not; None where there is none, or one that cannot be read."""
        try:
            return KeyRecord.from_json(self._objects.get(_record_key(key_id)))
        except ObjectMissingError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            _log.error("key record cannot be read", extra={"key": key_id, "error": str(error)})
            return None

    def records(self) -> list[KeyRecord]:
        """All records, the oldest first; those that cannot be read are left out, and logged."""
        ids = [key.removeprefix(KEYS_PREFIX).removesuffix(".json") for key in self._objects.keys(KEYS_PREFIX)]
        found = [record for key_id in ids if (record := self.find(key_id)) is not None]
        return sorted(found, key=lambda record: (record.created_ms, record.id))

    def create(self, *, name: str, scopes: frozenset[Scope], limits: KeyLimits, owner: str | None = None) -> NewKey:
        """Make a key. Raises `KeySettingsError`."""
        created = new_key(name=name, scopes=scopes, limits=limits, owner=owner)
        self._put(created.record)
        return created

    def rotate(self, key_id: str, *, grace_seconds: float) -> NewKey:
        """Give a key another secret; the old one stays valid for `grace_seconds`. Raises `KeyUnknownError`."""
        record = self._record(key_id)
        if record.revoked_ms is not None:
            raise KeyUnknownError(key_id, "it is revoked")
        changed = rotated(record, grace_seconds=grace_seconds)
        self._put(changed.record)
        return changed

    def revoke(self, key_id: str) -> KeyRecord:
        """End a key for good; once more changes nothing. Raises `KeyUnknownError`."""
        self._put(changed := revoked(self._record(key_id)))
        return changed

    def _record(self, key_id: str) -> KeyRecord:
        record = self.find(key_id)
        if record is None:
            raise KeyUnknownError(key_id, "there is no such key")
        return record

    def _put(self, record: KeyRecord) -> None:
        self._objects.put(_record_key(record.id), record.to_json().encode(), content_type="application/json")


def _record_key(key_id: str) -> str:
    return f"{KEYS_PREFIX}{key_id}.json"
