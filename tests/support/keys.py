"""API keys for tests."""

from workers.key_store import KeyStore
from workers.keys import NewKey, Scope
from workers.limits import KeyLimits
from workers.storage import ObjectStore


def make_key(objects: ObjectStore, *scopes: str, owner: str | None = None, **limits: object) -> NewKey:
    """A key as `spade-serve keys create` makes it, for jobs unless told otherwise; `limits` are those of KeyLimits."""
    return KeyStore(objects).create(
        name="test", scopes=frozenset(map(Scope, scopes or ("jobs",))), limits=KeyLimits(**limits), owner=owner
    )


def bearer(key: NewKey | str) -> dict[str, str]:
    """The header that a client sends."""
    return {"Authorization": f"Bearer {key if isinstance(key, str) else key.text}"}
