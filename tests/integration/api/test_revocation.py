"""Requests that are under way when their key is revoked: they end soon, and tell nothing more."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from api.services import MAX_WAITING_REQUESTS
from support.keys import bearer, make_key
from support.problems import assert_problem
from support.waiting import wait_until
from workers.key_store import KeyStore

SOON_SECONDS = 5.0  # in which README.md says that a revocation takes effect


@pytest.fixture
def key(objects, services):  # noqa: ARG001 - services has emptied the servers
    return make_key(objects)


@pytest.fixture
def revoked_meanwhile(services, objects, key):
    """Runs a request that waits for a job, and revokes its key when it does."""

    def run(request):
        with ThreadPoolExecutor(1) as beside:
            answer = beside.submit(request)
            wait_until(lambda: services.waiting_places._value < MAX_WAITING_REQUESTS, "a request that waits")
            KeyStore(objects).revoke(key.record.id)
            return answer.result(SOON_SECONDS)

    return run


def test_a_request_that_waits_for_a_job_is_refused(client, post, key, revoked_meanwhile):
    path = post(headers=bearer(key)).json["links"]["self"]
    answer = revoked_meanwhile(lambda: client.get(f"{path}?wait=60", headers=bearer(key)))
    assert_problem(answer, 401, "key-required")


def test_a_submission_that_waits_for_its_end_is_told_that_it_was_accepted(post, key, revoked_meanwhile, services):
    answer = revoked_meanwhile(lambda: post(headers={**bearer(key), "Prefer": "wait=60"}))
    assert (answer.status_code, answer.json["state"]) == (202, "queued")
    assert services.job_reader.job(answer.json["id"]).total == 1


def test_an_archive_is_cut_off(client, large_job, objects, services):
    admin = make_key(objects, "admin")
    path = f"/v1/jobs/{large_job}/archive"
    response = client.get(path, headers=bearer(admin), buffered=False)
    KeyStore(objects).revoke(admin.record.id)
    wait_until(
        lambda: client.get("/v1/jobs", headers=bearer(admin)).status_code == 401, "a refusal", seconds=SOON_SECONDS
    )
    with pytest.raises(ConnectionResetError):
        list(response.response)
    response.close()
    assert services.archive_places.acquire(blocking=False)
