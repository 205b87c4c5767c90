"""Settings from the environment."""

from pathlib import Path

import pytest

from spade.config import Precision
from workers.errors import SettingsError
from workers.settings import QueueSettings, Settings

NEEDED = {
    "SPADE_REDIS_URL": "redis://:secret@127.0.0.1:6379/0",
    "SPADE_S3_ENDPOINT": "127.0.0.1:9000",
    "SPADE_S3_ACCESS_KEY": "A" * 20,
    "SPADE_S3_SECRET_KEY": "hidden" * 8,
}


def test_only_addresses_and_credentials_are_needed() -> None:
    settings = Settings.from_environment(NEEDED)
    assert settings.storage.bucket == "spade"
    assert settings.worker.device == "auto"
    assert settings.worker.models == ()
    assert settings.models_dir is None
    assert settings.queue == QueueSettings()


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({key: value for key, value in NEEDED.items() if key != name})


def test_everything_can_be_set() -> None:
    settings = Settings.from_environment(
        {
            **NEEDED,
            "SPADE_MODELS_DIR": "/models",
            "SPADE_WORKER_MODELS": "landscape, coco-stuff,",
            "SPADE_BATCH_ITEMS": "3",
            "SPADE_WORKER_PORT": "9100",
            "SPADE_LEASE_SECONDS": "2.5",
            "SPADE_S3_SECURE": "true",
            "SPADE_S3_PUBLIC_ENDPOINT": "pictures.example",
            "SPADE_MAX_OPEN_ITEMS": "7",
            "SPADE_PRECISION": "bfloat16",
            "SPADE_CACHE_BYTES": "0",
        }
    )
    assert settings.models_dir == Path("/models")
    assert settings.worker.models == ("landscape", "coco-stuff")
    assert (settings.worker.batch_items, settings.worker.port) == (3, 9100)
    assert (settings.queue.lease_seconds, settings.queue.max_open_items) == (2.5, 7)
    assert (settings.worker.precision, settings.worker.cache_bytes) == (Precision.BFLOAT16, 0)
    assert settings.storage.secure
    assert settings.storage.public_endpoint == "pictures.example"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPADE_LEASE_SECONDS", "soon"),
        ("SPADE_BATCH_ITEMS", "8.5"),
        ("SPADE_MAX_OPEN_ITEMS", "inf"),
        ("SPADE_S3_SECURE", "maybe"),
        ("SPADE_COMPILE", "maybe"),
        ("SPADE_PRECISION", "int8"),
    ],
)
def test_a_malformed_setting_is_refused_with_its_name_and_value(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is '{value}'; it must be "):
        Settings.from_environment({**NEEDED, name: value})


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("SPADE_LEASE_SECONDS", "0", "above 0"),
        ("SPADE_LEASE_SECONDS", "nan", "above 0"),
        ("SPADE_LEASE_SECONDS", "inf", "above 0"),
        ("SPADE_RETENTION_SECONDS", "-1", "0 or more"),
        ("SPADE_MAX_OWNER_ITEMS", "0", "1 or more"),
        ("SPADE_BATCH_ITEMS", "0", "1 or more"),
        ("SPADE_BATCH_PIXELS", "-5", "1 or more"),
        ("SPADE_THREADS", "-1", "0 or more"),
        ("SPADE_CACHE_BYTES", "-1", "0 or more"),
        ("SPADE_WORKER_PORT", "65536", "1 to 65535"),
        ("SPADE_MAX_ITEMS_PER_JOB", "0", "1 or more"),
        ("SPADE_MAX_REQUEST_BYTES", "0", "1 or more"),
    ],
)
def test_a_setting_out_of_range_is_refused_with_what_would_be_right(name: str, value: str, right: str) -> None:
    field = name.removeprefix("SPADE_").removeprefix("WORKER_").lower()
    with pytest.raises(SettingsError, match=f"^{field} is {value}.*; it must be {right}"):
        Settings.from_environment({**NEEDED, name: value})


def test_an_empty_setting_counts_as_not_set() -> None:
    empty = {"SPADE_LEASE_SECONDS": "", "SPADE_S3_BUCKET": "", "SPADE_S3_SECURE": "", "SPADE_DEVICE": ""}
    assert Settings.from_environment({**NEEDED, **empty}) == Settings.from_environment(NEEDED)


def test_no_secret_is_in_the_representation() -> None:
    text = repr(Settings.from_environment(NEEDED))
    assert "secret@" not in text
    assert "hidden" not in text


TORCHSERVE = {
    **NEEDED,
    "SPADE_ENGINE": "torchserve",
    "SPADE_TORCHSERVE_URL": "http://127.0.0.1:8085",
    "SPADE_TORCHSERVE_KEY_FILE": "/run/torchserve/key_file.json",
}


def test_pictures_are_made_in_the_worker_unless_torchserve_is_asked_for() -> None:
    assert Settings.from_environment(NEEDED).worker.torchserve is None
    assert Settings.from_environment({**TORCHSERVE, "SPADE_ENGINE": "local"}).worker.torchserve is None
    settings = Settings.from_environment({**TORCHSERVE, "SPADE_TORCHSERVE_TIMEOUT_SECONDS": "7"}).worker.torchserve
    assert settings is not None
    assert (settings.url, settings.timeout_seconds) == ("http://127.0.0.1:8085", 7.0)
    assert settings.key_file == Path("/run/torchserve/key_file.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SPADE_ENGINE": "abacus"}, "SPADE_ENGINE is 'abacus'; it must be one of local, torchserve"),
        ({"SPADE_TORCHSERVE_URL": ""}, "SPADE_TORCHSERVE_URL is not set"),
        ({"SPADE_TORCHSERVE_KEY_FILE": ""}, "SPADE_TORCHSERVE_KEY_FILE is not set"),
        ({"SPADE_TORCHSERVE_URL": "127.0.0.1:8085"}, "it must be like http://127.0.0.1:8080"),
        ({"SPADE_TORCHSERVE_TIMEOUT_SECONDS": "0"}, "timeout_seconds of TorchServe is 0.0"),
    ],
)
def test_a_wrong_setting_of_torchserve_is_named(changes: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.from_environment({**TORCHSERVE, **changes})


@pytest.mark.parametrize("url", ["nonsense", "http://user:secret@prometheus:9090", "http://[::", "ftp://prometheus"])
def test_a_prometheus_that_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"SPADE_PROMETHEUS_URL is .*; it must be like http") as refused:
        Settings.from_environment({**NEEDED, "SPADE_PROMETHEUS_URL": url})
    assert "secret" not in str(refused.value)
