"""Records of API keys in a real object store."""

import dataclasses
import json

import pytest

from support.keys import make_key
from workers.errors import KeyUnknownError, StorageUnavailableError
from workers.key_store import KeyStore
from workers.keys import split_key
from workers.limits import Rate
from workers.storage import ObjectStore


@pytest.fixture
def keys(objects):
    return KeyStore(objects)


def test_a_key_is_found_by_its_id_with_all_that_it_may(keys, objects):
    key = make_key(objects, "jobs", "metrics", rate=Rate(requests=1, seconds=60), storage_bytes=5)
    assert keys.find(key.record.id) == key.record
    assert keys.find("0" * 16) is None


def test_the_object_store_holds_no_secret(objects):
    key = make_key(objects)
    (name,) = objects.keys("keys/")
    assert name == f"keys/{key.record.id}.json"
    assert split_key(key.text)[1] not in objects.get(name).decode()
    json.loads(objects.get(name))


def test_keys_count_as_configured_once_there_ever_was_one(keys, objects):
    assert not keys.are_configured()
    key = make_key(objects)
    assert keys.are_configured()
    keys.revoke(key.record.id)
    assert keys.are_configured()
    assert [record.revoked_ms is None for record in keys.records()] == [False]


def test_a_record_that_cannot_be_read_opens_nothing_and_still_counts(keys, objects, caplog):
    objects.put(f"keys/{'0' * 16}.json", b"{torn")
    assert keys.find("0" * 16) is None
    assert keys.are_configured()
    assert keys.records() == []
    assert "key record cannot be read" in caplog.text


def test_a_revoked_key_is_not_rotated_back_to_life(keys, objects):
    key = make_key(objects)
    keys.revoke(key.record.id)
    with pytest.raises(KeyUnknownError, match="it is revoked"):
        keys.rotate(key.record.id, grace_seconds=10)
    with pytest.raises(KeyUnknownError, match="there is no such key"):
        keys.revoke("0" * 16)


def test_a_store_that_is_away_is_no_store_without_keys(s3):
    away = KeyStore(ObjectStore(dataclasses.replace(s3, endpoint="127.0.0.1:9")))
    for ask in (away.are_configured, lambda: away.find("0" * 16), away.records):
        with pytest.raises(StorageUnavailableError):
            ask()
