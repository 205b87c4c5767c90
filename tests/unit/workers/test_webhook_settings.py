"""Settings of webhooks."""

import base64

import pytest

from workers.errors import SettingsError
from workers.webhook_settings import MAX_RETRY_SECONDS, WebhookSettings


def secret(size: int) -> str:
    return "whsec_" + base64.b64encode(b"s" * size).decode()


def test_secrets_of_the_sizes_of_standard_webhooks_are_taken() -> None:
    settings = WebhookSettings(secrets=(secret(24), secret(64)))
    assert "whsec" not in repr(settings)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (secret(23), "has 23 bytes; it must have 24 to 64"),
        (secret(65), "has 65 bytes"),
        ("c2VjcmV0" * 6, "is malformed; it is whsec_ and then base64"),
        ("whsec_%%%", "is malformed"),
    ],
)
def test_another_secret_is_refused_and_not_told(value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        WebhookSettings(secrets=(value,))
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timeout_seconds": 0.0}, "webhook timeout_seconds is 0.0"),
        ({"first_retry_seconds": float("inf")}, "webhook first_retry_seconds is inf"),
        ({"max_attempts": 0}, "webhook max_attempts is 0"),
        ({"allow": ("*.example",)}, r"'\*\.example' cannot be allowed"),
    ],
)
def test_other_values_that_do_not_fit_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        WebhookSettings(**changes)


def test_pauses_grow_fivefold_up_to_six_hours_and_last_about_a_day() -> None:
    settings = WebhookSettings()
    pauses = [settings.retry_seconds(attempt) for attempt in range(1, settings.max_attempts)]
    assert pauses[:4] == [5, 25, 125, 625]
    assert pauses[-1] == MAX_RETRY_SECONDS
    assert 20 * 3600 < sum(pauses) < 30 * 3600
    assert settings.retry_seconds(10**6) == MAX_RETRY_SECONDS
