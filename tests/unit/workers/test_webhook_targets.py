"""URLs of webhooks: read, resolved and judged."""

import threading

import pytest

from workers import webhook_targets
from workers.addresses import AddressPolicy
from workers.webhook_targets import Target, WebhookRefusedError, WebhookTargets, read_url


def refusal(url: str, *addresses: str) -> WebhookRefusedError:
    """The error that a URL is refused with; `addresses` are its host's, or what the system has."""
    targets = WebhookTargets(AddressPolicy(), resolve=(lambda *_: list(addresses)) if addresses else None)
    with pytest.raises(WebhookRefusedError) as caught:
        targets.check(url)
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        *("", "host", "//host/path", "/path", "https:", "https:///path", "https:/host", "http://"),
        *("ftp://host/", "file:///etc/passwd", "gopher://host/", "javascript:alert(1)"),
        *("https://user@host/", "https://user:secret@host/", "https://host/#there"),
        *("https://host:0/", "https://host:65536/", "https://host:x/", "https://[::1/", "https://ho st/"),
        *("https://host/a\nb", "https://host/\x00", "https://host/" + "a" * 2000),
    ],
)
def test_what_is_no_url_of_a_webhook_is_refused(url: str) -> None:
    assert refusal(url, "1.1.1.1").code == "url-malformed"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "localhost"),
        *("localhost.", "LOCALHOST", "169.254.169.254", "2852039166", "[::ffff:a9fe:a9fe]", "①②⑦.⓪.⓪.①"),
    ],
)
def test_this_machine_and_metadata_are_refused_in_any_spelling(host: str) -> None:
    # Some spellings are refused as URLs already, and some resolvers do not know them all.
    assert refusal(f"http://{host}/").code in ("address-refused", "url-malformed", "host-unresolved")


def test_a_host_with_one_address_that_is_not_public_is_refused() -> None:
    assert refusal("https://host.example/", "1.1.1.1", "10.0.0.1").code == "address-refused"


def test_a_host_that_does_not_exist_is_refused() -> None:
    error = refusal("https://nowhere.invalid/")
    assert error.code == "host-unresolved"
    assert "'nowhere.invalid' has no address" in error.detail


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_targets, "RESOLVE_SECONDS", 0.05)
    over = threading.Event()
    targets = WebhookTargets(AddressPolicy(), resolve=lambda *_: [str(over.wait(60))])
    with pytest.raises(WebhookRefusedError, match="could not be resolved in time"):
        targets.check("https://slow.example/")
    over.set()


def test_the_port_that_is_resolved_is_that_of_the_scheme_unless_it_is_named() -> None:
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["1.1.1.1"]

    targets = WebhookTargets(AddressPolicy(), resolve=resolve)
    for url in ("https://a.example/", "http://b.example", "https://c.example:8443/x", "https://bücher.example/"):
        targets.check(url)
    assert asked == [("a.example", 443), ("b.example", 80), ("c.example", 8443), ("xn--bcher-kva.example", 443)]


def test_only_the_host_of_a_pinned_url_is_another() -> None:
    url = read_url("https://host.example:8443/a%20b?c=d%26")
    assert str(Target(url=url, address="2606:2800::1").pinned_url) == "https://[2606:2800::1]:8443/a%20b?c=d%26"
