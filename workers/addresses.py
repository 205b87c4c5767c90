"""Which addresses the service may call on behalf of a client: public ones, and those that the operator allows.

Anything else would let a client reach, through the service, what only the service can reach: the machine itself, the
network behind it, a cloud's metadata.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self

from workers.errors import SettingsError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_HOST_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")  # NAT64, RFC 6052
_COMPATIBLE: Final = IPv6Network("::/96")  # IPv4 within IPv6, deprecated
_NEVER: Final[tuple[Network, ...]] = (
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of one's own network, RFC 8215
    IPv6Network("3fff::/20"),  # documentation, RFC 9637; older tables do not know it
    IPv4Network("192.0.0.0/24"),  # protocol assignments; older tables know a part of it
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, deprecated
    IPv4Network("168.63.129.16/32"),  # a cloud's own services at a public address
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """Public addresses, any address of `hosts`, and all of `networks`."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def allowing(cls, texts: Iterable[str]) -> Self:
        """The policy that allows these host names, addresses and networks too. Raises `SettingsError`."""
        hosts, networks = [], []
        for text in texts:
            try:
                networks.append(ip_network(text, strict=False))
            except ValueError as error:
                if _HOST_NAME.fullmatch(plain_host(text)) is None:
                    raise SettingsError(
                        f"{text!r} cannot be allowed; write a host name, an address or a network like 10.1.0.0/16"
                    ) from error
                hosts.append(plain_host(text))
        return cls(hosts=frozenset(hosts), networks=tuple(networks))

    def permits(self, host: str, address: Address) -> bool:
        """Whether a connection for `host`, which has this address, may be made."""
        meant = _meant(address)
        if plain_host(host) in self.hosts:
            return True
        if any(each in network for network in self.networks for each in (address, meant)):
            return True
        return _is_public(meant)


def plain_host(host: str) -> str:
    """One spelling for each host name."""
    return host.lower().removesuffix(".")


def read_address(text: str) -> Address:
    """An address as `getaddrinfo` writes it."""
    return ip_address(text.partition("%")[0])


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NEVER):
        return False
    special = address.is_multicast or address.is_reserved or address.is_link_local or address.is_unspecified
    if isinstance(address, IPv6Address) and (address.is_site_local or address.teredo is not None):
        return False
    return address.is_global and not special
