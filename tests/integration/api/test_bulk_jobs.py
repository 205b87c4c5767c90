"""Bulk jobs: thousands of label maps below a prefix, accepted at once and brought in little by little."""

import dataclasses
import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from spade.label_images import encode_ids_png
from support.jobs import read_spec
from support.problems import assert_problem
from workers.bulk import read_items
from workers.messages import State, record_key

MAPS = 1100


@pytest.fixture
def submit(client):
    def send(prefix="inputs/set/", *, path="/v1/jobs", method="POST", **parameters):
        body = {"params": {"model": "coco-stuff", **parameters}, "prefix": prefix}
        return client.open(path, method=method, json=body)

    return send


@pytest.fixture
def thousands(objects, label_map):
    """Label maps below `inputs/many/`."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: objects.put(f"inputs/many/{number:05}.png", label_map), range(MAPS)))
    return "inputs/many/"


@pytest.fixture
def small(objects, label_map):
    """Three label maps, one with an instance map, below `inputs/set/`."""
    for name in ("b.png", "a.png", "c.png"):
        objects.put(f"inputs/set/{name}", label_map)
    objects.put("inputs/set/a.instance.png", encode_ids_png(np.full((4, 4), 7)))
    objects.put("inputs/settings.png", label_map)


@pytest.mark.usefixtures("small")
def test_a_prefix_is_listed_and_counted_whole_when_the_job_is_accepted(submit, objects, services):
    response = submit(seed=7, variations=2)
    assert response.status_code == 202
    job = response.json
    assert (job["counts"]["total"], job["counts"]["queued"], job["seed"]) == (6, 6, 7)
    items = list(read_items(objects, read_spec(objects, job["id"]), start=0))
    assert [(item.index, item.file, item.seed) for item in items] == [
        (index, f"set/{name}.png", 7 + index % 2) for index, name in enumerate("aabbcc")
    ]
    assert [item.instance_map_key for item in items[:3]] == ["inputs/set/a.instance.png"] * 2 + [None]
    assert services.job_reader.stats().open_items == 6


@pytest.mark.usefixtures("small")
def test_until_its_items_are_there_it_waits_and_cannot_end(submit, services, client):
    job = submit().json
    path = job["links"]["self"]
    assert (job["items"], job["items_next"]) == ([], f"{path}?items_after=-1")
    assert_problem(client.get(f"{path}/items/1/image"), 409, "picture-not-ready")
    assert_problem(client.get(f"{path}/archive"), 409, "job-not-finished")
    services.filler.fill(job["id"])
    there = client.get(path).json
    assert ([item["file"] for item in there["items"]], there["items_next"]) == (
        ["set/a.png", "set/b.png", "set/c.png"],
        None,
    )
    assert there["state"] == "queued"


@pytest.mark.usefixtures("small")
def test_the_same_request_under_an_own_id_is_the_same_job_though_the_prefix_has_more_by_now(submit, objects, label_map):
    first = submit(path="/v1/jobs/mine", method="PUT")
    objects.put("inputs/set/d.png", label_map)
    again = submit(path="/v1/jobs/mine", method="PUT")
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json["counts"]["total"] == 3
    assert_problem(submit("inputs/", path="/v1/jobs/mine", method="PUT"), 409, "job-exists")


@pytest.mark.usefixtures("small")
def test_a_job_that_could_never_fit_is_refused_with_what_would(make_client, services, assert_untouched):
    def with_caps(**caps):
        queue = dataclasses.replace(services.settings.queue, **caps)
        settings = dataclasses.replace(services.settings, queue=queue)
        return make_client(settings=settings)

    body = {"params": {"model": "coco-stuff"}, "prefix": "inputs/set/"}
    never = with_caps(max_owner_pixels=2 * 256 * 256 + 1).post("/v1/jobs", json=body)
    assert "the 2 that" in assert_problem(never, 422, "parameters-refused")["detail"]
    assert_untouched()


@pytest.mark.usefixtures("small", "nothing_happened")
def test_instance_maps_of_a_model_that_uses_none_are_refused_at_once(submit):
    fault = assert_problem(submit(model="landscape"), 422, "files-refused")["errors"][0]
    assert fault["code"] == "instance-map-unused"


def test_thousands_of_items_are_read_page_by_page_and_all_of_them_can_be_canceled(submit, thousands, services, client):
    job = submit(thousands, model="landscape", variations=2).json
    assert job["counts"]["queued"] == 2 * MAPS
    services.filler.fill(job["id"])
    following, seen = job["links"]["self"], []
    while following:
        page = client.get(following).json
        assert len(page["items"]) <= 1000
        seen += [item["index"] for item in page["items"]]
        following = page["items_next"]
    assert seen == list(range(2 * MAPS))
    canceled = client.post(job["links"]["cancel"]).json
    assert canceled["outcomes"] == {"dequeued": 2 * MAPS}
    assert len(canceled["items"]) == 1000
    assert (canceled["job"]["state"], canceled["job"]["counts"]["canceled"]) == ("canceled", 2 * MAPS)
    assert services.job_reader.stats().open_items == 0
    assert services.job_store.unrecorded_jobs() == []


@pytest.mark.usefixtures("small")
def test_a_job_canceled_before_its_items_are_there_ends_with_all_of_them_canceled(submit, services, client):
    job = submit().json
    canceled = client.post(job["links"]["cancel"]).json
    assert (canceled["outcomes"], canceled["job"]["state"]) == ({"dequeued": 3}, "canceled")
    assert [item["state"] for item in client.get(job["links"]["self"]).json["items"]] == ["canceled"] * 3
    assert services.job_reader.stats().open_items == 0
    assert client.post(job["links"]["cancel"]).json["outcomes"] == {"dequeued": 3}


@pytest.mark.usefixtures("small")
def test_a_cancel_that_is_answered_is_recorded_whoever_ended_the_job(submit, services, client, objects):
    job = submit().json
    services.job_store.cancel(job["id"], owner="local")
    assert services.filler.fill(job["id"]) == (job["id"],)  # whoever did this was killed before it recorded it
    assert client.post(job["links"]["cancel"]).json["job"]["state"] == "canceled"
    assert json.loads(objects.get(record_key(job["id"])))["state"] == "canceled"


def test_events_and_the_archive_come_page_by_page(submit, objects, services, client, work, label_map):
    for number in range(120):
        objects.put(f"inputs/set/{number:05}.png", label_map)
    job = submit(model="landscape").json
    services.filler.fill(job["id"])
    assert work(70) + work(70) == 120
    services.recorder.record_leftovers()
    with client.get(job["links"]["events"]) as response:
        told = [line for line in response.get_data(as_text=True).splitlines() if line == "event: item"]
    assert len(told) == 120
    with client.get(job["links"]["archive"]) as response:
        archive = zipfile.ZipFile(io.BytesIO(response.get_data()))
    assert len(archive.namelist()) == 121
    manifest = json.loads(archive.read("manifest.json"))
    assert {item["state"] for item in manifest["items"]} == {State.SUCCEEDED}
    assert manifest["items"][-1]["file"] == "set/00119.png"
