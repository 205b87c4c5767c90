"""Where a webhook goes: its URL is read, its host resolved and the addresses judged, all before anything is sent."""

import ipaddress
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Final

import httpx

from workers.addresses import AddressPolicy, read_address
from workers.errors import ServiceError

MAX_URL_LENGTH: Final = 2000
PORTS: Final = range(1, 65536)
RESOLVE_SECONDS: Final = 5.0
RESOLVING_THREADS: Final = 16
"""A name server that does not answer keeps a thread for as long as the system waits for it."""

Resolve = Callable[[str, int], list[str]]


class WebhookRefusedError(ServiceError):
    """A webhook goes nowhere that the service may call. `code` is a stable word for why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL and the judged address of its host, to which the connection is to be made."""

    url: httpx.URL
    address: str

    @property
    def pinned_url(self) -> httpx.URL:
        """The URL with the address for the host."""
        return self.url.copy_with(host=self.address)

    @property
    def host(self) -> str:
        """Name of the host, in ASCII."""
        return self.url.raw_host.decode("ascii")


class WebhookTargets:
    """Judges URLs in threads of its own, since the system's resolver knows no time limit."""

    def __init__(self, policy: AddressPolicy, *, resolve: Resolve | None = None) -> None:
        self._policy = policy
        self._resolve = resolve or _resolve
        self._threads = ThreadPoolExecutor(RESOLVING_THREADS, thread_name_prefix="webhook-hosts")

    def judge(self, url: str) -> Future[Target]:
        """Where the URL leads; the future raises `WebhookRefusedError`."""
        return self._threads.submit(self._judge, url)

    def check(self, url: str) -> None:
        """Raises `WebhookRefusedError` where the service may not call the URL, or cannot tell within seconds."""
        judged = self.judge(url)
        try:
            judged.result(RESOLVE_SECONDS)
        except FutureTimeoutError as error:
            judged.cancel()
            raise WebhookRefusedError("host-unresolved", "its host could not be resolved in time") from error

    def _judge(self, text: str) -> Target:
        url = read_url(text)
        target = Target(url=url, address="")
        addresses = self._resolve(target.host, url.port or (443 if url.scheme == "https" else 80))
        if not addresses:
            raise WebhookRefusedError("host-unresolved", f"its host {target.host!r} has no address")
        # A host with addresses of both kinds is none to trust: which one is taken would be chance.
        for address in addresses:
            if not self._policy.permits(target.host, read_address(address)):
                raise WebhookRefusedError(
                    "address-refused",
                    f"its host {target.host!r} has an address that is not public; use one that is, or have whoever "
                    "runs the service allow it by SPADE_WEBHOOK_ALLOW",
                )
        return Target(url=url, address=addresses[0])


def read_url(text: str) -> httpx.URL:
    """The URL, if it is one that a webhook may have. Raises `WebhookRefusedError`."""
    if len(text) > MAX_URL_LENGTH or not text.isprintable() or " " in text:
        raise WebhookRefusedError("url-malformed", f"it must be at most {MAX_URL_LENGTH} characters without blanks")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise WebhookRefusedError("url-malformed", f"it is no URL: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise WebhookRefusedError("url-malformed", "write it as https://host/path")
    if url.userinfo or url.fragment:
        raise WebhookRefusedError("url-malformed", "leave out user names, passwords and what follows a #")
    if url.port is not None and url.port not in PORTS:
        raise WebhookRefusedError("url-malformed", f"its port is {url.port}; there are 1 to {PORTS.stop - 1}")
    return url


def _resolve(host: str, port: int) -> list[str]:
    """Addresses as the system has them; also of hosts that are numbers in any spelling, such as 0x7f.1."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(ipaddress.ip_address(str(row[4][0]).partition("%")[0])) for row in found]
