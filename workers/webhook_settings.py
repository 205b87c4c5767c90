"""Settings of webhooks: with what they are signed, whom they may reach, and how long they are tried."""

import base64
import binascii
import math
from dataclasses import dataclass, field
from typing import Final

from workers.addresses import AddressPolicy
from workers.errors import SettingsError

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what every secret begins with
SECRET_BYTES: Final = range(24, 65)
RETRY_FACTOR: Final = 5.0
MAX_RETRY_SECONDS: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """Without `secrets` there are no webhooks; each signs, so that one can be replaced. Raises `SettingsError`."""

    secrets: tuple[str, ...] = field(default=(), repr=False)
    allow: tuple[str, ...] = ()  # hosts, addresses and networks that are reached though they are not public
    timeout_seconds: float = 15.0
    max_attempts: int = 10
    first_retry_seconds: float = 5.0
    public_url: str = ""  # what links in messages begin with

    def __post_init__(self) -> None:
        for secret in self.secrets:
            _check_secret(secret)
        AddressPolicy.allowing(self.allow)
        for name in ("timeout_seconds", "first_retry_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                raise SettingsError(f"webhook {name} is {getattr(self, name)}; it must be above 0")
        if self.max_attempts < 1:
            raise SettingsError(f"webhook max_attempts is {self.max_attempts}; it must be 1 or more")

    @property
    def policy(self) -> AddressPolicy:
        """Whom they may reach."""
        return AddressPolicy.allowing(self.allow)

    def retry_seconds(self, attempt: int) -> float:
        """Until the attempt after this one, the first being 1; five times as long each time, at most six hours."""
        return min(MAX_RETRY_SECONDS, self.first_retry_seconds * RETRY_FACTOR ** min(attempt - 1, 32))


def _check_secret(secret: str) -> None:
    """The secret itself is never told."""
    try:
        if not secret.startswith(SECRET_PREFIX):
            raise ValueError("no prefix")
        size = len(base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True))
    except (binascii.Error, ValueError) as error:
        raise SettingsError(f"a webhook secret is malformed; it is {SECRET_PREFIX} and then base64") from error
    if size not in SECRET_BYTES:
        least, most = SECRET_BYTES.start, SECRET_BYTES.stop - 1
        raise SettingsError(f"a webhook secret has {size} bytes; it must have {least} to {most}")
