"""API keys as values: what a key may do, and what is kept of it, which is never the key itself.

A key is the text `spade_<id>_<secret>`. The id says which record to look up, the secret proves that one may.
"""

import hashlib
import hmac
import json
import re
import secrets
import time
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self

from workers.errors import KeySettingsError
from workers.limits import NO_LIMITS, KeyLimits

KEY_PATTERN: Final = re.compile(r"spade_([0-9a-f]{16})_([0-9a-f]{64})")
OWNER_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MAX_NAME_LENGTH: Final = 100


class Scope(StrEnum):
    """What a key may be used for."""

    JOBS = "jobs"  # everything about one's own jobs, and models
    METRICS = "metrics"  # /metrics
    ADMIN = "admin"  # both, and reading and canceling everybody's jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedSecret:
    """What is kept of a secret: enough to recognize it.

    One round of SHA-256 is enough. Slow hashes defend passwords, which can be guessed one after the other; a secret
    here is 256 random bits, and nobody guesses those at any speed. The salt keeps equal secrets from showing.
    """

    salt: str = field(repr=False)
    digest: str = field(repr=False)
    valid_until_ms: int | None = None  # None: until it is revoked or followed by another

    @classmethod
    def of(cls, secret: str) -> Self:
        """A secret, with a salt of its own."""
        salt = secrets.token_hex(16)
        return cls(salt=salt, digest=_digest(salt, secret))

    def accepts(self, secret: str, *, now_ms: int) -> bool:
        """Whether this is the secret, and it is still valid. Takes as long for every wrong one."""
        is_same = hmac.compare_digest(self.digest, _digest(self.salt, secret))
        return is_same and (self.valid_until_ms is None or now_ms < self.valid_until_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What is stored of a key. `secrets`: the newest first, then those that stay valid for a while after a rotation.

    `owner` is whose jobs it works with. It outlives rotations, and several keys may share it.
    """

    id: str
    name: str
    owner: str
    scopes: frozenset[Scope]
    secrets: tuple[HashedSecret, ...] = field(repr=False)
    created_ms: int  # Unix time, milliseconds
    limits: KeyLimits = NO_LIMITS
    rotated_ms: int | None = None
    revoked_ms: int | None = None

    def __post_init__(self) -> None:
        if not OWNER_PATTERN.fullmatch(self.owner):
            raise KeySettingsError(
                f"the owner is {self.owner!r}; it must be 1 to 40 lower-case letters, digits and hyphens"
            )
        if not self.name.isprintable() or not 0 < len(self.name) <= MAX_NAME_LENGTH:
            raise KeySettingsError(f"the name is {self.name!r}; it must be 1 to {MAX_NAME_LENGTH} printable characters")

    def accepts(self, secret: str) -> bool:
        """Whether the key with this secret may be used now."""
        now_ms = _now_ms()
        return self.revoked_ms is None and any(known.accepts(secret, now_ms=now_ms) for known in self.secrets)

    def allows(self, scope: Scope) -> bool:
        """Whether the key may be used for that; an admin's may be used for everything."""
        return not self.scopes.isdisjoint({scope, Scope.ADMIN})

    def to_json(self) -> str:
        """The text of the record."""
        return json.dumps({**asdict(self), "scopes": sorted(self.scopes)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote. Raises ValueError, TypeError or KeyError for anything else."""
        values: dict[str, Any] = json.loads(text)
        return cls(
            **{
                **values,
                "scopes": frozenset(map(Scope, values["scopes"])),
                "secrets": tuple(HashedSecret(**secret) for secret in values["secrets"]),
                "limits": KeyLimits.from_values(values["limits"]),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A record with its key, which is told this once and kept nowhere."""

    record: KeyRecord
    text: str = field(repr=False)


def new_key(*, name: str, scopes: frozenset[Scope], limits: KeyLimits, owner: str | None = None) -> NewKey:
    """A key that nobody has yet; without `owner` it is one of its own. Raises `KeySettingsError`."""
    identity, secret = secrets.token_hex(8), secrets.token_hex(32)
    record = KeyRecord(
        id=identity,
        name=name,
        owner=identity if owner is None else owner,
        scopes=scopes,
        secrets=(HashedSecret.of(secret),),
        created_ms=_now_ms(),
        limits=limits,
    )
    return NewKey(record=record, text=_key_text(identity, secret))


def rotated(record: KeyRecord, *, grace_seconds: float) -> NewKey:
    """The same key with another secret; those it had stay valid for `grace_seconds` at most."""
    now_ms, secret = _now_ms(), secrets.token_hex(32)
    until_ms = now_ms + round(grace_seconds * 1000)
    old = [
        replace(known, valid_until_ms=min(until_ms, known.valid_until_ms or until_ms))
        for known in record.secrets
        if (known.valid_until_ms or until_ms) > now_ms  # those that are over are dropped; without grace, all
    ]
    changed = replace(record, secrets=(HashedSecret.of(secret), *old), rotated_ms=now_ms)
    return NewKey(record=changed, text=_key_text(record.id, secret))


def revoked(record: KeyRecord) -> KeyRecord:
    """The record of a key that is of no use any more. It is kept: a service that ever had keys never opens to all."""
    return replace(record, secrets=(), revoked_ms=record.revoked_ms or _now_ms())


def split_key(text: str) -> tuple[str, str] | None:
    """Id and secret of a key; None for a text that is none."""
    match = KEY_PATTERN.fullmatch(text)
    return None if match is None else (match[1], match[2])


def _key_text(identity: str, secret: str) -> str:
    return f"spade_{identity}_{secret}"


def _digest(salt: str, secret: str) -> str:
    return hashlib.sha256(f"{salt}{secret}".encode()).hexdigest()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
