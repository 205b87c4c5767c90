"""POST with an Idempotency-Key: repeated, with another request, at the same time."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient

from api.idempotency import keyed_job_id
from support.jobs import read_spec
from support.problems import assert_problem

KEY = {"Idempotency-Key": '"order 7"'}
JOB = keyed_job_id("local", "order 7")


def jobs(client):
    return [job["id"] for job in client.get("/v1/jobs").json["jobs"]]


def test_the_same_request_again_is_answered_with_the_same_job(post, client, objects, work):
    first = post(headers=KEY)
    assert (first.status_code, first.json["id"]) == (202, JOB)
    again = post(headers=KEY)
    assert (again.status_code, again.json, again.headers["Location"]) == (202, first.json, f"/v1/jobs/{JOB}")
    work()
    ended = post(headers=KEY)
    assert (ended.status_code, ended.json["state"]) == (200, "succeeded")
    assert ended.json["seed"] == first.json["seed"]  # which was drawn
    assert jobs(client) == [JOB]
    assert read_spec(objects, JOB).id == JOB


def test_everything_of_a_job_is_found_under_such_an_id(post, client, work):
    post(headers=KEY)
    work()
    assert client.get(f"/v1/jobs/{JOB}/items/0/image?proxy=1").status_code == 200
    assert client.get(f"/v1/jobs/{JOB}/archive").status_code == 200
    assert b"event: end" in client.get(f"/v1/jobs/{JOB}/events").get_data()
    assert client.post(f"/v1/jobs/{JOB}/cancel").status_code == 200


def test_another_key_or_none_is_another_job(post, client):
    made = [post(headers=headers).json["id"] for headers in (KEY, {"Idempotency-Key": "order 8"}, None, None)]
    assert len(set(made)) == 4
    assert jobs(client) == made[::-1]


@pytest.mark.parametrize("changes", [{"seed": 1}, {"labels": {"a": "b"}}, {"variations": 2}])
def test_the_same_key_with_another_request_is_refused(post, client, changes):
    post(headers=KEY)
    problem = assert_problem(post(headers=KEY, **changes), 422, "idempotency-key-reused")
    assert JOB in problem["detail"]
    assert jobs(client) == [JOB]


def test_a_key_whose_request_is_still_being_made_is_a_conflict_that_passes(post, services, client):
    services.job_store.reserve(JOB, holder="another request", seconds=60)
    response = post(headers=KEY)
    assert_problem(response, 409, "being-submitted")
    assert response.headers["Retry-After"] == "1"
    services.job_store.unreserve(JOB, holder="another request")
    assert post(headers=KEY).status_code == 202
    assert jobs(client) == [JOB]


def test_a_refused_request_does_not_use_its_key_up(post, assert_untouched):
    assert post(headers=KEY, style="none such").status_code == 422
    assert_untouched()
    assert post(headers=KEY).status_code == 202


def test_a_key_whose_job_is_no_longer_kept_makes_no_other(post, services, work):
    post(headers=KEY)
    work()
    services.job_store.forget(JOB)
    assert_problem(post(headers=KEY), 410, "job-expired")


def test_a_job_that_redis_has_lost_is_made_anew_with_its_key(post, redis_client, work, client):
    post(headers=KEY)
    redis_client.flushall()
    assert post(headers=KEY).json["id"] == JOB
    assert work() == 1
    assert jobs(client) == [JOB]


def test_the_id_that_a_key_makes_cannot_be_chosen(post, assert_untouched):
    assert_problem(post(path=f"/v1/jobs/{JOB}", method="PUT"), 422, "parameters-refused")
    assert_untouched()


@pytest.mark.parametrize("key", ["", "x" * 256, "é"])
def test_what_is_no_key_is_refused_by_name(post, key, assert_untouched):
    response = post(headers={"Idempotency-Key": key})
    assert_problem(response, 422, "parameters-refused")
    assert response.json["errors"][0]["parameter"] == "Idempotency-Key"
    assert_untouched()


def test_a_repeated_request_waits_as_the_first_one_would(post, make_client, work, label_map):
    post(headers=KEY)
    data = {"params": '{"model": "landscape"}', "label_map": [(io.BytesIO(label_map), "0.png")]}
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(make_client().post, "/v1/jobs", data=data, headers={**KEY, "Prefer": "wait=60"})
        while not again.done():
            work()
        response = again.result()
    assert (response.status_code, response.json["state"]) == (200, "succeeded")
    assert response.headers["Preference-Applied"] == "wait=60"


def test_of_many_equal_requests_at_one_time_one_makes_the_job(make_client, label_map, services, client, work):
    def send(sender: FlaskClient) -> int:
        label_maps = [(io.BytesIO(label_map), f"{index}.png") for index in range(8)]
        data = {"params": '{"model": "landscape"}', "label_map": label_maps}
        return sender.post("/v1/jobs", data=data, headers=KEY).status_code

    # Made in one thread: two of Python 3.11 cannot parse at a time, as making routes does.
    senders = [make_client() for _ in range(24)]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(send, senders))
    assert set(statuses) <= {202, 409}
    assert 202 in statuses
    assert jobs(client) == [JOB]
    assert services.job_reader.stats().open_items == work() == 8
