"""Jobs read, waited for and canceled."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.problems import assert_problem
from workers.messages import JobSpec, record_key, spec_key


@pytest.fixture
def forgotten(finished, services):
    """A job whose retention time is over."""
    services.job_store.mark_recorded(finished, mark=services.job_store.record_mark(finished))
    services.job_store.forget(finished)
    return finished


# Reading


def test_a_finished_job_tells_everything_about_its_items(client, finished):
    job = client.get(f"/v1/jobs/{finished}").json
    assert job["state"] == "succeeded"
    assert job["counts"]["succeeded"] == job["counts"]["total"] == 2
    assert job["queue"] is None
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]
    first, second = job["items"]
    assert (first["seed"], second["seed"]) == (1, 2)
    assert first["attempts"] == 1
    assert first["timings"]["compute"] == 0.5
    assert first["image"]["href"] == f"/v1/jobs/{finished}/items/0/image"
    assert len(first["image"]["sha256"]) == 64
    assert first["image"]["bytes"] > 0


def test_a_failed_item_says_why(client, post, services):
    job_id = post().json["id"]
    batch = services.job_store.claim(
        worker="w", device="cpu", models=["landscape"], max_items=1, max_pixels=10**9
    ).batch
    services.job_store.fail(batch.items, reason="poison", detail="three attempts were lost")
    job = client.get(f"/v1/jobs/{job_id}").json
    assert job["state"] == "failed"
    assert (job["items"][0]["reason"], job["items"][0]["detail"]) == ("poison", "three attempts were lost")
    assert job["items"][0]["image"] is None


def test_a_waiting_job_tells_its_place_and_its_estimate(client, post, work):
    post()
    work()  # now a rate is known
    for _ in range(2):
        post(variations=3)
    job = client.get(f"/v1/jobs/{post().json['id']}").json
    assert job["queue"]["position"] == 6
    assert job["queue"]["eta_seconds"] > 0


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/jobs/nope"), ("GET", "/v1/jobs/nope/items/0/image"), ("POST", "/v1/jobs/nope/cancel")],
)
def test_an_unknown_job_is_not_found(client, method, path):
    assert_problem(client.open(path, method=method), 404, "job-unknown")


def test_an_expired_job_is_gone_rather_than_unknown(client, forgotten, post):
    for method, path in (("GET", ""), ("GET", "/items/0/image"), ("POST", "/cancel")):
        assert_problem(client.open(f"/v1/jobs/{forgotten}{path}", method=method), 410, "job-expired")
    assert_problem(post(path=f"/v1/jobs/{forgotten}", method="PUT"), 410, "job-expired")


def test_the_jobs_of_others_are_unknown(client, post, objects, services):
    job_id = post().json["id"]
    spec = objects.get(spec_key(job_id)).decode().replace(job_id, "theirs").replace('"local"', '"ann"')
    services.job_store.submit(JobSpec.from_json(spec))
    assert_problem(client.get("/v1/jobs/theirs"), 404, "job-unknown")
    assert_problem(client.post("/v1/jobs/theirs/cancel"), 404, "job-unknown")
    assert [job["id"] for job in client.get("/v1/jobs").json["jobs"]] == [job_id]


# Conditional requests


def test_a_job_that_has_not_changed_is_not_sent_again(client, finished):
    first = client.get(f"/v1/jobs/{finished}")
    again = client.get(f"/v1/jobs/{finished}", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.get_data() == b""
    assert again.headers["ETag"] == first.headers["ETag"]


def test_the_tag_changes_with_the_job_and_with_its_place(client, post, work):
    post()
    path = f"/v1/jobs/{post().json['id']}"
    tags = [client.get(path).headers["ETag"]]
    work(items=1)  # the job before it
    tags.append(client.get(path).headers["ETag"])
    work(items=1)
    tags.append(client.get(path).headers["ETag"])
    assert len(set(tags)) == 3
    assert client.get(path, headers={"If-None-Match": tags[0]}).status_code == 200
    assert client.get(path, headers={"If-None-Match": f"{tags[0]}, {tags[2]}"}).status_code == 304


# Long polls


def test_a_long_poll_returns_when_the_job_ends(client, post, work):
    job_id = post(variations=2).json["id"]
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(client.application.test_client().get, f"/v1/jobs/{job_id}?wait=60")
        while not poll.done() and work(items=1):
            pass
        response = poll.result(timeout=30)
    assert response.json["state"] == "succeeded"


def test_a_long_poll_with_a_tag_returns_at_any_change(client, post, work):
    response = post(variations=2)
    path = f"/v1/jobs/{response.json['id']}"
    tag = client.get(path).headers["ETag"]
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(client.application.test_client().get, f"{path}?wait=60", headers={"If-None-Match": tag})
        work(items=1)
        response = poll.result(timeout=30)
    assert response.status_code == 200
    assert response.json["counts"]["queued"] < 2


def test_a_long_poll_without_change_ends_with_304(client, post):
    path = f"/v1/jobs/{post().json['id']}"
    tag = client.get(path).headers["ETag"]
    response = client.get(f"{path}?wait=0.2", headers={"If-None-Match": tag})
    assert response.status_code == 304


def test_a_long_poll_for_a_finished_job_answers_at_once(client, finished):
    assert client.get(f"/v1/jobs/{finished}?wait=60").json["state"] == "succeeded"


def test_long_polls_beyond_the_places_for_waiting_answer_at_once(make_client, post):
    job_id = post().json["id"]
    client = make_client(waiting_places=threading.Semaphore(0))
    response = client.get(f"/v1/jobs/{job_id}?wait=60")
    assert response.json["state"] == "queued"


@pytest.mark.parametrize("wait", ["-1", "soon", "inf", "nan"])
def test_a_wait_that_is_no_time_is_refused(client, post, wait):
    response = client.get(f"/v1/jobs/{post().json['id']}?wait={wait}")
    assert_problem(response, 422, "parameters-refused")
    assert response.json["errors"][0]["parameter"] == "wait"


# Canceling


def test_a_cancel_tells_what_happened_to_each_item(client, post, work, services):
    job_id = post(variations=4).json["id"]
    work(items=1)
    claim = services.job_store.claim(worker="w", device="cpu", models=["landscape"], max_items=2, max_pixels=10**9)
    services.job_store.advance(claim.batch.items[:1], stage="computing")
    response = client.post(f"/v1/jobs/{job_id}/cancel")
    assert response.status_code == 200
    assert response.json["items"] == [
        {"index": 0, "outcome": "too_late"},
        {"index": 1, "outcome": "discarded"},
        {"index": 2, "outcome": "removed_from_batch"},
        {"index": 3, "outcome": "dequeued"},
    ]
    assert response.json["job"]["state"] == "canceled"
    assert response.json["job"]["counts"]["canceled"] == 3
    assert services.job_reader.stats().open_items == 0


def test_an_answered_cancel_is_recorded_in_the_object_store(client, post, objects):
    job_id = post().json["id"]
    client.post(f"/v1/jobs/{job_id}/cancel")
    assert json.loads(objects.get(record_key(job_id)))["state"] == "canceled"


def test_a_cancel_that_comes_too_late_says_so(client, finished):
    response = client.post(f"/v1/jobs/{finished}/cancel")
    assert {item["outcome"] for item in response.json["items"]} == {"too_late"}
    assert response.json["job"]["state"] == "succeeded"
