"""The storage adapter on a real S3 server."""

import urllib.request
from collections.abc import Callable
from dataclasses import replace

import pytest

from support.fault_proxy import FaultProxy
from workers.errors import ObjectMissingError, StorageUnavailableError
from workers.settings import StorageSettings
from workers.storage import ObjectStore


def test_an_object_is_stored_read_and_removed(objects: ObjectStore) -> None:
    objects.put("a/b.bin", b"\x00\x01", content_type="image/png")
    assert objects.get("a/b.bin") == b"\x00\x01"
    objects.delete("a/b.bin")
    with pytest.raises(ObjectMissingError, match=r"a/b\.bin"):
        objects.get("a/b.bin")


def test_an_empty_object_is_an_object(objects: ObjectStore) -> None:
    objects.put("empty", b"")
    assert objects.get("empty") == b""


def test_a_missing_object_is_told_from_a_missing_store(objects: ObjectStore) -> None:
    with pytest.raises(ObjectMissingError):
        objects.get("nothing/here")
    objects.delete("nothing/here")


def test_keys_are_listed_by_prefix_and_removed_by_prefix(objects: ObjectStore) -> None:
    for key in ("jobs/a/1", "jobs/a/2", "jobs/ab/1"):
        objects.put(key, b"x")
    assert list(objects.keys("jobs/a/")) == ["jobs/a/1", "jobs/a/2"]
    objects.delete_prefix("jobs/a/")
    assert list(objects.keys("jobs/")) == ["jobs/ab/1"]


def test_a_presigned_url_serves_the_object_to_anyone(objects: ObjectStore) -> None:
    objects.put("p.png", b"picture", content_type="image/png")
    url = objects.presigned_get("p.png", seconds=60, content_type="image/png", file_name="p.png")
    with urllib.request.urlopen(url) as response:  # noqa: S310 - the URL is the store's own
        assert response.read() == b"picture"
        assert response.headers["Content-Type"] == "image/png"


def test_presigned_urls_name_the_public_address(s3: StorageSettings) -> None:
    store = ObjectStore(replace(s3, public_endpoint="pictures.example:9000"))
    url = store.presigned_get("p.png", seconds=60, content_type="image/png", file_name="p.png")
    assert url.startswith("http://pictures.example:9000/spade/p.png?")


def test_wrong_credentials_are_a_refusal_not_a_missing_object(s3: StorageSettings) -> None:
    stranger = ObjectStore(replace(s3, secret_key="x" * 40))
    with pytest.raises(StorageUnavailableError):
        stranger.get("p.png")


def test_a_store_that_is_away_is_reported_as_such(s3: StorageSettings) -> None:
    nowhere = ObjectStore(replace(s3, endpoint="127.0.0.1:1"))
    with pytest.raises(StorageUnavailableError):
        nowhere.ping()
    with pytest.raises(StorageUnavailableError):
        nowhere.put("k", b"x")


def test_a_missing_bucket_is_named(s3: StorageSettings) -> None:
    store = ObjectStore(replace(s3, bucket="another-bucket"))
    with pytest.raises(StorageUnavailableError, match="another-bucket"):
        store.ping()


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.put("k", b"x"),
        lambda store: store.get("k"),
        lambda store: store.delete("k"),
        lambda store: list(store.keys("k")),
        lambda store: store.delete_prefix("k"),
    ],
    ids=["put", "get", "delete", "keys", "delete_prefix"],
)
def test_without_its_bucket_the_store_is_away_and_no_object_counts_as_lost(
    s3: StorageSettings, call: Callable[[ObjectStore], object]
) -> None:
    with pytest.raises(StorageUnavailableError, match="NoSuchBucket"):
        call(ObjectStore(replace(s3, bucket="another-bucket")))


def test_the_secret_key_is_not_in_the_representation(s3: StorageSettings) -> None:
    assert s3.secret_key not in repr(s3)


def test_every_call_is_observed_once_with_what_came_of_it(s3: StorageSettings, objects: ObjectStore) -> None:
    for number in range(3):
        objects.put(f"k/{number}", b"x")
    calls: list[tuple[str, str]] = []
    store = ObjectStore(s3, observe=lambda operation, outcome, _: calls.append((operation, outcome)))
    assert len(list(store.keys("k/"))) == 3
    store.get("k/0")
    assert not store.exists("k/9")
    store.delete_prefix("k/")
    assert calls == [("list", "ok"), ("get", "ok"), ("stat", "missing"), ("list", "ok"), ("delete", "ok")]


def test_deletions_that_the_store_refuses_are_observed_as_errors(s3: StorageSettings, objects: ObjectStore) -> None:
    objects.put("k/0", b"x")
    calls: list[tuple[str, str]] = []
    proxy = FaultProxy(int(s3.endpoint.rpartition(":")[2]))
    proxy.undeletable = b"k/0"
    with proxy.serving():
        store = ObjectStore(
            replace(s3, endpoint=proxy.endpoint), observe=lambda what, outcome, _: calls.append((what, outcome))
        )
        with pytest.raises(StorageUnavailableError):
            store.delete_prefix("k/")
    assert calls[-1] == ("delete", "error")
