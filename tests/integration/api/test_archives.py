"""All pictures of a job as a ZIP."""

import dataclasses
import io
import json
import zipfile

import pytest

from api.archives import Manifest
from api.services import MAX_ARCHIVES
from support.problems import assert_problem
from workers.messages import State, job_prefix
from workers.storage import ObjectStore

LARGE_BYTES = 2**20
LARGE_ITEMS = 12


class Counting(ObjectStore):
    """An object store that notes what is read."""

    def __init__(self, settings):
        super().__init__(settings)
        self.read = []

    def get(self, key):
        self.read.append(key)
        return super().get(key)


@pytest.fixture
def counting(settings):
    return Counting(settings.storage)


def opened(response):
    assert response.status_code == 200
    assert response.content_type == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(response.get_data()))
    response.close()  # as a server does
    assert archive.testzip() is None
    return archive, Manifest.model_validate_json(archive.read("manifest.json"))


def test_an_archive_has_every_picture_and_a_manifest_that_tells_what_it_follows_from(client, post, work, label_map):
    job = post([("my map.png", label_map), ("b.png", label_map)], seed=5, variations=2, format="jpeg").json
    work()
    archive, manifest = opened(client.get(job["links"]["archive"]))
    names = ["my_map-0.jpg", "my_map-1.jpg", "b-2.jpg", "b-3.jpg"]
    assert archive.namelist() == [*names, "manifest.json"]
    assert manifest.job == job["id"]
    assert [(item.index, item.file, item.seed, item.picture) for item in manifest.items] == [
        (0, "my map.png", 5, names[0]),
        (1, "my map.png", 6, names[1]),
        (2, "b.png", 5, names[2]),
        (3, "b.png", 6, names[3]),
    ]
    items = client.get(job["links"]["self"]).json["items"]
    for item, told in zip(manifest.items, items, strict=True):
        assert (item.sha256, item.bytes) == (told["image"]["sha256"], len(archive.read(item.picture)))
        assert (item.model.name, item.model.version, item.model.weights_sha256) == tuple(job["model"].values())
        assert (item.size.width, item.size.height, item.precision, item.style) == (256, 256, "float32", None)
        assert item.state is State.SUCCEEDED
        assert len(item.label_map_sha256) == 64
        assert item.code_version


def test_items_without_a_picture_are_listed_with_their_state(client, post, work, services, label_map):
    job = post([label_map] * 3).json
    work(1)
    claim = services.job_store.claim(worker="w", device="cpu", models=["landscape"], max_items=1, max_pixels=10**9)
    services.job_store.fail(claim.batch.items, reason="input", detail="it was damaged")
    client.post(job["links"]["cancel"])
    archive, manifest = opened(client.get(job["links"]["archive"]))
    assert archive.namelist() == ["0-0.png", "manifest.json"]
    told = [(item.state, item.reason, item.detail, item.picture) for item in manifest.items]
    assert told[1:] == [("failed", "input", "it was damaged", None), ("canceled", None, None, None)]


def test_the_manifest_is_json_of_one_item_a_line(client, finished):
    archive, _ = opened(client.get(f"/v1/jobs/{finished}/archive"))
    text = archive.read("manifest.json").decode()
    assert len(json.loads(text)["items"]) == 2
    assert len(text.splitlines()) == 4


def test_a_label_map_that_is_gone_has_no_digest(client, finished, objects):
    objects.delete_prefix(f"{job_prefix(finished)}inputs/")
    _, manifest = opened(client.get(f"/v1/jobs/{finished}/archive"))
    assert [item.label_map_sha256 for item in manifest.items] == [None, None]


def test_equal_jobs_make_equal_archives(client, finished):
    first, second = (client.get(f"/v1/jobs/{finished}/archive").get_data() for _ in range(2))
    assert first == second


def test_pictures_are_read_only_as_the_client_takes_them(make_client, large_job, counting):
    response = make_client(object_store=counting).get(f"/v1/jobs/{large_job}/archive", buffered=False)
    taken = 0
    for chunk in response.response:
        taken += len(chunk)
        pictures = [key for key in counting.read if "/pictures/" in key]
        assert len(pictures) * LARGE_BYTES <= taken + 2 * LARGE_BYTES
    assert taken > LARGE_ITEMS * LARGE_BYTES
    assert len(counting.read) == LARGE_ITEMS + 1  # and the label map once for all of its variations


def test_a_job_that_has_not_ended_has_no_archive_yet(client, post):
    assert_problem(client.get(f"/v1/jobs/{post().json['id']}/archive"), 409, "job-not-finished")


def test_an_unknown_job_has_none_and_one_that_is_no_longer_kept_says_so(client, finished, services):
    assert_problem(client.get("/v1/jobs/nope/archive"), 404, "job-unknown")
    services.job_store.forget(finished)
    assert_problem(client.get(f"/v1/jobs/{finished}/archive"), 410, "job-expired")


def test_pictures_that_are_gone_or_a_store_that_is_away_are_problems_as_long_as_nothing_was_sent(
    make_client, client, finished, objects, settings
):
    away = ObjectStore(dataclasses.replace(settings.storage, endpoint="127.0.0.1:9"))
    assert_problem(make_client(object_store=away).get(f"/v1/jobs/{finished}/archive"), 503, "storage-unavailable")
    objects.delete_prefix(f"{job_prefix(finished)}pictures/")
    assert_problem(client.get(f"/v1/jobs/{finished}/archive"), 404, "picture-missing")


def test_a_picture_with_other_bytes_than_were_published_is_not_sent(client, finished, objects):
    key = next(iter(objects.keys(f"{job_prefix(finished)}pictures/")))
    objects.put(key, b"x" * 2**17)
    assert_problem(client.get(f"/v1/jobs/{finished}/archive"), 503, "storage-unavailable")


def test_an_archive_that_cannot_be_completed_is_cut_off(client, large_job, objects, caplog):
    response = client.get(f"/v1/jobs/{large_job}/archive", buffered=False)
    objects.delete_prefix(f"{job_prefix(large_job)}pictures/")
    with pytest.raises(ConnectionResetError):
        list(response.response)
    assert [record.job for record in caplog.records if record.message == "archive cut off"] == [large_job]


def test_only_so_many_archives_are_sent_at_a_time_and_a_client_that_leaves_makes_room(client, large_job):
    path = f"/v1/jobs/{large_job}/archive"
    sent = [client.get(path, buffered=False) for _ in range(MAX_ARCHIVES)]
    problem = assert_problem(client.get(path), 503, "busy")
    assert "archives" in problem["detail"]
    sent[0].close()
    opened(client.get(path))
    with client.head(path) as head:
        assert (head.status_code, head.get_data()) == (200, b"")
    opened(client.get(path))
    sent[1].close()
