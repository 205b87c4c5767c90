"""Which addresses the service may call on behalf of a client."""

import pytest

from workers.addresses import AddressPolicy, read_address
from workers.errors import SettingsError


def permits(policy: AddressPolicy, address: str, host: str = "host.example") -> bool:
    return policy.permits(host, read_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("93.184.216.34", "1.1.1.1", "2606:2800:220:1:248:1893:25c8:1946"),
        *("::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"),
    ],
)
def test_public_addresses_are_permitted(address: str) -> None:
    assert permits(AddressPolicy(), address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.1.2", "0.1.2.3", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1"),
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.88.99.1", "198.18.0.1"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "203.0.113.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"),
        *("3fff::1", "3fff:fff:ffff::1"),
        *("::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "::7f00:1"),
        *("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1.1.1.1"),
        *("2002:7f00:1::1", "2002:a9fe:a9fe::", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    ],
)
def test_every_other_address_is_refused_however_it_is_wrapped(address: str) -> None:
    assert not permits(AddressPolicy(), address)


def test_networks_addresses_and_hosts_may_be_allowed() -> None:
    policy = AddressPolicy.allowing(["10.1.0.0/16", "127.0.0.1", "Hooks.Internal", "fd00::/8"])
    assert permits(policy, "10.1.2.3")
    assert permits(policy, "::ffff:10.1.2.3")
    assert permits(policy, "127.0.0.1")
    assert permits(policy, "fd12::1")
    assert permits(policy, "10.9.9.9", "hooks.internal.")
    assert not permits(policy, "10.2.0.1")
    assert not permits(policy, "127.0.0.2")
    assert not permits(policy, "10.9.9.9", "internal")
    assert not permits(policy, "10.9.9.9", "more.hooks.internal")


@pytest.mark.parametrize("text", ["http://a", "10.0.0.0/33", "a b", "*", "host:80", ""])
def test_what_cannot_be_allowed_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match="cannot be allowed; write a host name, an address or a network"):
        AddressPolicy.allowing([text])
