"""A second key can see nothing of the first one's jobs, over every operation that the OpenAPI document has."""

import json
import re

import pytest

from support.keys import bearer, make_key
from support.problems import assert_problem
from workers.messages import job_prefix

OWN_ID = "anns-own"


@pytest.fixture
def ann(objects, services):  # noqa: ARG001 - services has emptied the servers
    return make_key(objects)


@pytest.fixture
def ben(objects, services):  # noqa: ARG001
    return make_key(objects)


@pytest.fixture
def job_id(post, work, ann):
    """Ann's job, which has ended, with an id of her own."""
    response = post(path=f"/v1/jobs/{OWN_ID}", method="PUT", headers=bearer(ann), seed=1, labels={"who": "ann"})
    assert response.status_code == 202
    work()
    return OWN_ID


@pytest.fixture
def operations(client):
    """(method, path) of every operation."""
    document = client.get("/openapi.json").json
    return [(method.upper(), path) for path, found in document["paths"].items() for method in found]


def filled(path, job_id):
    """The path of an operation about a job. A parameter that this test does not know has to be added to it."""
    known = {"job_id": job_id, "index": "0"}
    return re.sub(r"\{(\w+)\}", lambda match: known[match[1]], path)


def about_jobs(operations):
    found = [(method, path) for method, path in operations if "/jobs/{" in path]
    assert found
    assert all("{job_id}" in path for _, path in found), "name the parameter job_id, so that this test covers it"
    return found


def assert_tells_nothing(response, *secrets):
    for secret in ("label_map", "landscape", "succeeded", *secrets):
        assert secret not in response.get_data(as_text=True).replace(response.request.path, ""), secret


def test_every_operation_about_a_job_is_not_found_for_others_and_answered_for_its_owner(
    client, ann, ben, job_id, operations
):
    for method, path in about_jobs(operations):
        url = filled(path, job_id)
        if (method, path) == ("PUT", "/v1/jobs/{job_id}"):
            continue  # see below: what others put there is refused
        theirs = client.open(url, method=method, headers=bearer(ben))
        nobodys = client.open(filled(path, "no-such-job"), method=method, headers=bearer(ben))
        assert theirs.status_code == nobodys.status_code == 404, (method, path, theirs.status)
        problems = [
            json.loads(answer.get_data(as_text=True).replace(job_id, "no-such-job")) for answer in (theirs, nobodys)
        ]
        for problem in problems:
            del problem["request_id"]
        assert problems[0] == problems[1], (method, path)
        assert client.open(url, method=method, headers=bearer(ann)).status_code in (200, 202, 204, 303), (method, path)


def test_no_operation_without_a_job_tells_of_others_jobs(client, post, ann, ben, job_id, operations):
    mine = post(headers=bearer(ben), seed=2).json["id"]
    for method, path in operations:
        if "{" in path:
            continue
        if method == "POST":
            response = post(path=path, headers=bearer(ben))
        else:
            response = client.open(path, method=method, headers=bearer(ben))
        text = response.get_data(as_text=True)
        assert job_id not in text, (method, path)
        assert ann.record.owner not in text, (method, path)
    assert {job["id"] for job in client.get("/v1/jobs?limit=200", headers=bearer(ben)).json["jobs"]} >= {mine}


@pytest.mark.usefixtures("job_id")
def test_a_list_goes_on_only_through_ones_own_jobs(client, post, ann, ben):
    for _ in range(3):
        post(headers=bearer(ann))
    following = client.get("/v1/jobs?limit=1", headers=bearer(ann)).json["next"]
    assert following
    assert client.get(following, headers=bearer(ben)).json["jobs"] == []
    assert len(client.get("/v1/jobs", headers=bearer(ann)).json["jobs"]) == 4


@pytest.mark.parametrize("same_content", [True, False])
@pytest.mark.parametrize("removed", [True, False])
def test_an_id_that_another_uses_is_taken_and_no_more_is_told(
    post, objects, services, ann, ben, job_id, same_content, removed
):
    if removed:
        services.job_store.forget(job_id)
    before = list(objects.keys(job_prefix(job_id)))
    parameters = {"seed": 1, "labels": {"who": "ann"}} if same_content else {"seed": 5}
    response = post(path=f"/v1/jobs/{job_id}", method="PUT", headers=bearer(ben), **parameters)
    problem = assert_problem(response, 409, "job-exists")
    assert problem["detail"] == f"there is already a job {job_id!r}, with another content; choose another id"
    assert_tells_nothing(response, ann.record.owner)
    assert list(objects.keys(job_prefix(job_id))) == before


def test_the_same_id_and_content_is_still_ones_own_job(post, ann, job_id):
    again = post(path=f"/v1/jobs/{job_id}", method="PUT", headers=bearer(ann), seed=1, labels={"who": "ann"})
    assert (again.status_code, again.json["id"]) == (200, job_id)


def test_only_label_maps_under_ones_own_prefix_may_be_named(client, objects, ann, ben, label_map):
    objects.put(f"inputs/{ann.record.owner}/a.png", label_map)
    objects.put("inputs/a.png", label_map)
    anns = f"inputs/{ann.record.owner}/"
    ways = [
        {"label_map_keys": [f"{anns}a.png"]},
        {"label_map_keys": [f"{anns}missing.png"]},
        {"label_map_keys": ["inputs/a.png"]},
        {"prefix": anns},
        {"prefix": "inputs/"},
        {"prefix": f"inputs/{ben.record.owner}"},  # what follows may be the rest of a longer name
        {"label_map_keys": [f"inputs/{ben.record.owner}/../{ann.record.owner}/a.png"]},
    ]
    own = f"inputs/{ben.record.owner}/"
    objects.put(f"{own}a.png", label_map)
    ways.append({"label_map_keys": [f"{own}a.png"], "instance_map_keys": [f"{anns}a.png"]})
    for path in ("/v1/jobs", "/v1/label-maps/validate"):
        answers = [
            client.post(path, json={"params": {"model": "landscape"}, **way}, headers=bearer(ben)) for way in ways
        ]
        assert [answer.status_code for answer in answers] == [422] * len(ways)
        there, missing = (answer.json["errors"][0] for answer in answers[:2])
        assert there["code"] == missing["code"] == "foreign-object"
        assert own in there["detail"]
        for way in ({"prefix": own}, {"label_map_keys": [f"{own}a.png"]}):
            response = client.post(path, json={"params": {"model": "landscape"}, **way}, headers=bearer(ben))
            assert response.status_code in (200, 202)


def test_keys_of_one_owner_share_their_jobs(client, objects, ann, job_id):
    second = make_key(objects, owner=ann.record.owner)
    assert client.get(f"/v1/jobs/{job_id}", headers=bearer(second)).status_code == 200


def test_jobs_from_before_the_keys_go_to_a_key_of_their_owner(client, post, objects):
    job_id = post().json["id"]
    key = make_key(objects, owner="local")
    assert client.get(f"/v1/jobs/{job_id}", headers=bearer(key)).status_code == 200
    assert client.get(f"/v1/jobs/{job_id}", headers=bearer(make_key(objects))).status_code == 404


def test_an_admin_reads_and_cancels_everybodys_jobs_and_lists_its_own(client, post, objects, ann, job_id, operations):
    admin = make_key(objects, "admin")
    for method, path in about_jobs(operations):
        if method == "GET":
            status = client.open(filled(path, job_id), headers=bearer(admin)).status_code
            assert status in (200, 303), (path, status)
    waiting = post(headers=bearer(ann)).json["id"]
    canceled = client.post(f"/v1/jobs/{waiting}/cancel", headers=bearer(admin))
    assert (canceled.status_code, canceled.json["job"]["state"]) == (200, "canceled")
    assert client.get("/v1/jobs", headers=bearer(admin)).json["jobs"] == []


def test_an_idempotency_key_is_ones_own(post, ann, ben):
    ids = [post(headers={**bearer(key), "Idempotency-Key": '"same"'}, seed=1).json["id"] for key in (ann, ben, ann)]
    assert ids[0] == ids[2] != ids[1]
