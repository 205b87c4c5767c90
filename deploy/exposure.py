"""Whether the API may listen on an address: without API keys only on those of this machine."""

import ipaddress
from collections.abc import Iterable

from deploy.errors import DeployError
from workers.errors import StorageUnavailableError
from workers.key_store import KeyStore
from workers.settings import Settings
from workers.storage import ObjectStore


class ExposedError(DeployError):
    """The service would be open to others than those it is meant for."""


def is_loopback(host: str) -> bool:
    """Whether an address, or `localhost`, is reached from this machine only. A path, of a Unix socket, is too."""
    if "/" in host or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def require_keys(hosts: Iterable[str], settings: Settings) -> None:
    """Raises `ExposedError` where one of `hosts` is open to other machines and there are no API keys, or none known."""
    exposed = [host for host in hosts if not is_loopback(host)]
    if not exposed:
        return
    refusal = f"{exposed[0]!r} would open the service to others"
    try:
        configured = KeyStore(ObjectStore(settings.storage)).are_configured()
    except StorageUnavailableError as error:
        raise ExposedError(
            f"{refusal}, and whether it has API keys cannot be told: {error}; start it once the object store is up"
        ) from error
    if not configured:
        raise ExposedError(
            f"{refusal}, and it has no API keys; make one by `spade-serve keys create`, or serve 127.0.0.1"
        )
