"""Who makes a request, and what they may do."""

from dataclasses import dataclass, field
from typing import Final, cast

from flask import g

from workers.bulk import INPUT_PREFIX
from workers.keys import KeyRecord, Scope
from workers.limits import NO_LIMITS, KeyLimits

LOCAL_OWNER: Final = "local"
"""Whose the jobs are as long as there are no API keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The owner of what a request makes. `key` is None as long as there are no API keys."""

    owner: str
    key: KeyRecord | None = None
    secret: str = field(default="", repr=False)

    @property
    def visible_owner(self) -> str | None:
        """Whose jobs the request may read and cancel; None: everybody's."""
        return None if self.key is not None and Scope.ADMIN in self.key.scopes else self.owner

    @property
    def limits(self) -> KeyLimits:
        """What the key may use up."""
        return NO_LIMITS if self.key is None else self.key.limits

    @property
    def input_prefix(self) -> str:
        """Where in the bucket the caller's own label maps lie."""
        return INPUT_PREFIX if self.key is None else f"{INPUT_PREFIX}{self.owner}/"


LOCAL: Final = Caller(owner=LOCAL_OWNER)


def current_caller() -> Caller:
    """Who makes the current request, as `api.access` has found out."""
    return cast(Caller, g.caller)


def visible_owner() -> str | None:
    """Whose jobs the current request may read and cancel; None: everybody's."""
    return current_caller().visible_owner


def current_owner() -> str:
    """Whose the jobs are that the current request makes, and that it lists."""
    return current_caller().owner
