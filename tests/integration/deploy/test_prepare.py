"""`spade-serve prepare`, with a real object store."""

import secrets
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.cli import main
from workers.errors import StorageUnavailableError
from workers.key_store import KeyStore
from workers.keys import Scope, split_key
from workers.settings import Settings
from workers.storage import ObjectStore


@pytest.fixture
def environment(service_environment: dict[str, str]) -> dict[str, str]:
    """With a bucket that does not exist yet."""
    return {**service_environment, "SPADE_S3_BUCKET": f"prepared-{secrets.token_hex(4)}"}


@pytest.fixture
def bucket(environment: dict[str, str]) -> ObjectStore:
    return ObjectStore(Settings.from_environment(environment).storage)


def prepare(environment: dict[str, str], *options: str) -> str:
    result = CliRunner().invoke(main, ["prepare", *options], env=environment)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_bucket_is_made_once(environment: dict[str, str], bucket: ObjectStore) -> None:
    with pytest.raises(StorageUnavailableError, match="has no bucket"):
        bucket.ping()
    assert prepare(environment).endswith("is made\n")
    bucket.put("kept", b"1")
    assert prepare(environment).endswith("exists\n")
    assert bucket.get("kept") == b"1"
    assert not KeyStore(bucket).are_configured()


def test_a_key_for_metrics_is_made_once_and_can_be_read_by_others(
    environment: dict[str, str], bucket: ObjectStore, tmp_path: Path
) -> None:
    file = tmp_path / "secrets" / "metrics-key"
    prepare(environment, "--metrics-key", str(file))
    key = file.read_text()
    prepare(environment, "--metrics-key", str(file))
    assert file.read_text() == key
    assert file.stat().st_mode & 0o777 == 0o644
    (record,) = KeyStore(bucket).records()
    parts = split_key(key)
    assert parts is not None
    assert record.id == parts[0]
    assert record.accepts(parts[1])
    assert record.scopes == {Scope.METRICS}


@pytest.mark.parametrize("fault", ["it is revoked", "it is no key", "it is another service's"])
def test_a_key_that_is_of_no_use_is_replaced(
    environment: dict[str, str], bucket: ObjectStore, tmp_path: Path, fault: str
) -> None:
    file = tmp_path / "metrics-key"
    prepare(environment, "--metrics-key", str(file))
    key = file.read_text()
    keys = KeyStore(bucket)
    (record,) = keys.records()
    if fault == "it is revoked":
        keys.revoke(record.id)
    elif fault == "it is no key":
        file.write_bytes(b"\xff")
    else:
        bucket.delete_prefix("keys/")
    assert "a key of scope metrics is in" in prepare(environment, "--metrics-key", str(file))
    made = split_key(file.read_text())
    assert made is not None
    assert file.read_text() != key
    found = keys.find(made[0])
    assert found is not None
    assert found.accepts(made[1])


def test_a_store_that_does_not_answer_is_named(environment: dict[str, str]) -> None:
    result = CliRunner().invoke(main, ["prepare"], env={**environment, "SPADE_S3_SECRET_KEY": "f" * 40})
    assert result.exit_code == 1
    assert result.output.startswith("Error: the object store ")
