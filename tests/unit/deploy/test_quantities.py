"""Sizes and times as options take them, and which addresses are this machine's."""

import click
import pytest

from deploy.exposure import is_loopback
from deploy.quantities import read_rate, read_size, read_time, write_size


@pytest.mark.parametrize(("text", "size"), [("1B", 1), ("500MiB", 500 * 2**20), ("10GiB", 10 * 2**30)])
def test_a_size_is_read_with_its_unit(text: str, size: int) -> None:
    assert read_size(text) == size
    assert write_size(size) == text


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("30min", 1800.0), ("24h", 86400.0), ("7d", 604800.0)])
def test_a_time_is_read_with_its_unit(text: str, seconds: float) -> None:
    assert read_time(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "10GB", "-1B", "1.5GiB", "0B", "0s", "1w"])
def test_what_has_another_form_is_a_usage_error(text: str) -> None:
    for read in (read_size, read_time, read_rate):
        with pytest.raises(click.BadParameter, match="must be"):
            read(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "/run/spade.sock"])
def test_addresses_of_this_machine_are_told(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "", "192.168.1.5", "example.org", "localhost.evil.org"])  # noqa: S104
def test_other_addresses_are_told_from_them(host: str) -> None:
    assert not is_loopback(host)
