"""Jobs under ids of their clients' own: repeated, in conflict, at the same time."""

import dataclasses
import io
import json

import numpy as np
import pytest

from spade.label_images import encode_ids_png
from support.jobs import read_spec
from support.problems import assert_problem
from workers.messages import JobSpec, spec_key
from workers.storage import ObjectStore


def test_a_job_may_have_the_clients_own_id(post, objects):
    response = post(path="/v1/jobs/My_job-1", method="PUT")
    assert response.status_code == 202
    assert response.json["id"] == "My_job-1"
    assert response.headers["Location"] == "/v1/jobs/My_job-1"
    assert read_spec(objects, "My_job-1").id == "My_job-1"


def test_the_same_request_again_answers_with_the_job_as_it_is(post, work, objects, services):
    first = post(path="/v1/jobs/mine", method="PUT")
    work()
    stored = {key: objects.get(key) for key in objects.keys("jobs/")}
    again = post(path="/v1/jobs/mine", method="PUT")
    assert again.status_code == 200
    assert again.json["state"] == "succeeded"
    assert again.json["seed"] == first.json["seed"]
    assert {key: objects.get(key) for key in objects.keys("jobs/")} == stored
    assert services.job_reader.stats().open_items == 0


@pytest.mark.parametrize("changes", [{"seed": 1}, {"quality": 91}, {"labels": {"a": "b"}}, {"palette": "gaugan"}])
def test_another_request_with_the_same_id_is_a_conflict(post, objects, changes):
    post(path="/v1/jobs/mine", method="PUT")
    stored = {key: objects.get(key) for key in objects.keys("jobs/")}
    response = post(path="/v1/jobs/mine", method="PUT", **changes)
    assert response.status_code == 409
    assert response.json["type"] == "urn:spade-serving:problem:job-exists"
    assert {key: objects.get(key) for key in objects.keys("jobs/")} == stored


def test_another_label_map_with_the_same_id_is_a_conflict(post):
    post(path="/v1/jobs/mine", method="PUT")
    other = encode_ids_png(np.zeros((4, 4), dtype=np.uint8))
    assert post([other], path="/v1/jobs/mine", method="PUT").status_code == 409


def test_an_id_that_another_request_is_submitting_is_a_conflict(post, services, assert_untouched):
    services.job_store.reserve("mine", holder="another request", seconds=60)
    response = post(path="/v1/jobs/mine", method="PUT")
    assert response.status_code == 409
    assert response.json["type"] == "urn:spade-serving:problem:being-submitted"
    assert response.headers["Retry-After"] == "1"
    assert_untouched()
    services.job_store.unreserve("mine", holder="another request")
    assert post(path="/v1/jobs/mine", method="PUT").status_code == 202


def test_the_same_request_again_needs_no_turn(post, services):
    post(path="/v1/jobs/mine", method="PUT")
    services.job_store.reserve("mine", holder="a request that was killed", seconds=60)
    assert post(path="/v1/jobs/mine", method="PUT").status_code == 200


def test_a_request_keeps_its_id_while_it_stores_and_no_longer(services, redis_client, make_client, label_map):
    class Watched(ObjectStore):
        def put(self, key, data, **options):
            super().put(key, data, **options)
            left_ms.append(redis_client.pttl("{spade}:reserved:mine"))

    left_ms = []
    data = {"params": '{"model": "landscape"}', "label_map": [(io.BytesIO(label_map), "a.png")]}
    client = make_client(object_store=Watched(services.settings.storage))
    assert client.put("/v1/jobs/mine", data=data).status_code == 202
    assert all(0 < left <= 30_000 for left in left_ms)
    assert redis_client.pttl("{spade}:reserved:mine") == -2


def test_a_request_whose_id_another_took_over_stops_and_leaves_the_others_objects(
    services, redis_client, objects, make_client, label_map
):
    class Slow(ObjectStore):
        """Its first put takes so long that the reservation runs out and another request takes the id."""

        def put(self, key, data, **options):
            super().put(key, data, **options)
            redis_client.delete("{spade}:reserved:mine")
            services.job_store.reserve("mine", holder="another request", seconds=60)

    data = {"params": '{"model": "landscape"}', "label_map": [(io.BytesIO(label_map), "a.png")]}
    response = make_client(object_store=Slow(services.settings.storage)).put("/v1/jobs/mine", data=data)
    assert_problem(response, 409, "being-submitted")
    assert list(objects.keys("jobs/mine/")) == ["jobs/mine/inputs/0.png"]
    assert list(services.job_reader.jobs("local")) == []
    assert not services.job_store.reserve("mine", holder="a third", seconds=60)


def test_the_id_of_another_owners_job_is_a_conflict(post, objects, services):
    spec = read_spec(objects, post().json["id"])
    theirs = JobSpec.from_json(json.dumps({**json.loads(spec.to_json()), "id": "theirs", "owner": "ann"}))
    services.job_store.submit(theirs)
    assert post(path="/v1/jobs/theirs", method="PUT").status_code == 409
    assert list(objects.keys("jobs/theirs/")) == []


@pytest.mark.parametrize("job_id", ["a.b", "a b", "x" * 65, "é"])
def test_an_id_of_other_characters_is_refused(post, job_id, assert_untouched):
    response = post(path=f"/v1/jobs/{job_id}", method="PUT")
    assert response.status_code == 422
    assert response.json["errors"][0]["parameter"] == "job_id"
    assert_untouched()


@pytest.mark.parametrize("changes", [{"seed": 2}, {}])
def test_an_id_of_a_job_that_redis_has_lost_may_be_used_again(post, work, objects, redis_client, changes):
    post(path="/v1/jobs/mine", method="PUT")  # without a seed: one is drawn each time
    work()
    assert len(list(objects.keys("jobs/mine/pictures/"))) > 0
    redis_client.flushall()
    assert post(path="/v1/jobs/mine", method="PUT", **changes).status_code == 202
    assert list(objects.keys("jobs/mine/pictures/")) == []  # else they would be this job's if Redis were lost again


def test_an_id_of_anothers_job_that_redis_has_lost_is_a_conflict(post, objects, redis_client):
    post(path="/v1/jobs/mine", method="PUT")
    theirs = dataclasses.replace(read_spec(objects, "mine"), owner="theirs")
    objects.put(spec_key("mine"), theirs.to_json().encode())
    redis_client.flushall()
    assert_problem(post(path="/v1/jobs/mine", method="PUT"), 409, "job-exists")
    assert read_spec(objects, "mine") == theirs
    objects.put(spec_key("mine"), b"{")
    assert_problem(post(path="/v1/jobs/mine", method="PUT"), 409, "job-exists")
