"""A dataset that comes from the object store to a node's disk."""

import dataclasses
from pathlib import Path

import pytest

from deploy.cluster.dataset import fetch_dataset
from spade.data.errors import DatasetError
from workers.settings import StorageSettings
from workers.storage import ObjectStore, StoredObject

FILES = 200


def test_files_that_are_there_already_stay(objects: ObjectStore, s3: StorageSettings, tmp_path: Path) -> None:
    for name in ("labels/a.png", "images/a.jpg"):
        objects.put(f"data/{name}", name.encode())
    url = f"s3://{s3.bucket}/data"
    assert [fetch_dataset(url, tmp_path, s3) for _ in range(2)] == [2, 0]
    assert (tmp_path / "labels" / "a.png").read_bytes() == b"labels/a.png"


def test_an_error_ends_it_at_once(
    objects: ObjectStore, s3: StorageSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(FILES):
        objects.put(f"data/{number:03}.png", b"png")
    as_it_is = ObjectStore.objects

    def list_the_first_wrong(store: ObjectStore, prefix: str) -> list[StoredObject]:
        first, *others = as_it_is(store, prefix)
        return [dataclasses.replace(first, size_bytes=99), *others]

    monkeypatch.setattr(ObjectStore, "objects", list_the_first_wrong)
    with pytest.raises(DatasetError, match=r"000.png: has 3 bytes, but was listed with 99"):
        fetch_dataset(f"s3://{s3.bucket}/data", tmp_path, s3)
    assert len(list(tmp_path.iterdir())) < FILES / 2
