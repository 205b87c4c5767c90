"""Who is let in: with API keys, without, with wrong ones, and while nobody can tell."""

import dataclasses

import pytest

from api.key_cache import KeyCache
from support.keys import bearer, make_key
from support.problems import assert_problem
from workers.key_store import KeyStore
from workers.limits import Rate, RateLimiter
from workers.redis_client import connect
from workers.scripts import Scripts
from workers.storage import ObjectStore

OPEN = ["/", "/studio", "/studio/studio.js", "/docs", "/docs/docs.js", "/openapi.json", "/livez", "/readyz"]
CLOSED = ["/v1/jobs", "/v1/jobs/x", "/v1/models", "/metrics", "/v1/jobs/x/archive"]
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}
NOBODY = "127.0.0.1:9"


@pytest.fixture
def key(objects, services):  # noqa: ARG001 - services has emptied the servers
    return make_key(objects)


def keys_of(storage, **changes):
    return KeyCache(KeyStore(ObjectStore(dataclasses.replace(storage, **changes))))


# Without keys


def test_without_keys_this_machine_is_let_in(client, post):
    assert client.get("/v1/jobs").status_code == 200
    assert post().status_code == 202
    assert client.get("/metrics").status_code == 200


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7", "nonsense"])
def test_without_keys_another_machine_is_not(client, address):
    for path in CLOSED:
        response = client.get(path, environ_overrides={"REMOTE_ADDR": address})
        problem = assert_problem(response, 401, "key-required")
        assert "serves only the machine it runs on" in problem["detail"]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", ""])
def test_every_address_of_this_machine_is_known(client, address):
    assert client.get("/v1/jobs", environ_overrides={"REMOTE_ADDR": address}).status_code == 200


def test_a_key_where_there_are_none_is_wrong(client, objects):
    key = make_key(objects)
    objects.delete_prefix("keys/")
    assert_problem(client.get("/v1/jobs", headers=bearer(key)), 401, "key-required")


# With keys


def test_with_keys_nobody_is_let_in_without_one(client, key):  # noqa: ARG001
    for path in CLOSED:
        response = client.get(path)
        problem = assert_problem(response, 401, "key-required")
        assert "Authorization: Bearer" in problem["detail"]
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="spade-serving"'


def test_probes_and_documentation_are_open(client, key):  # noqa: ARG001
    for path in OPEN:
        assert client.get(path, environ_overrides=ELSEWHERE).status_code in (200, 302), path


def test_what_is_nowhere_is_not_found_with_or_without_a_key(client, key):
    for headers in ({}, bearer(key)):
        assert client.get("/v1/nothing", headers=headers).status_code == 404
        assert client.delete("/v1/jobs", headers=headers).status_code == 405
        assert client.options("/v1/jobs", headers=headers).status_code == 200


def test_a_key_lets_in_from_anywhere(client, key):
    assert client.get("/v1/jobs", headers=bearer(key), environ_overrides=ELSEWHERE).status_code == 200
    lower = {"Authorization": f"bearer  {key.text} "}
    assert client.get("/v1/jobs", headers=lower).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        lambda text: f"Bearer {text[:-1]}x",
        lambda text: f"Bearer {text[:-1]}{'0' if text[-1] != '0' else '1'}",
        lambda text: f"Bearer spade_{'0' * 16}_{text[-64:]}",
        lambda text: f"Bearer {text} {text}",
        lambda text: f"Basic {text}",
        lambda text: text,
        lambda _: "Bearer",
        lambda _: "",
        lambda _: "Bearer " + "x" * 5000,
    ],
    ids=["no form", "other secret", "other id", "two", "basic", "bare", "none", "empty", "long"],
)
def test_a_wrong_key_lets_nobody_in_and_is_not_repeated(client, key, wrong):
    sent = wrong(key.text)
    response = client.get("/v1/jobs", headers={"Authorization": sent})
    assert_problem(response, 401, "key-required")
    assert response.headers["WWW-Authenticate"].endswith('error="invalid_token"')
    assert key.text not in response.get_data(as_text=True)


def test_unknown_and_revoked_keys_and_wrong_secrets_are_answered_alike(client, key, objects):
    other = make_key(objects)
    KeyStore(objects).revoke(other.record.id)
    wrong = [f"spade_{'0' * 16}_{'0' * 64}", f"spade_{key.record.id}_{'0' * 64}", other.text]
    details = {client.get("/v1/jobs", headers=bearer(text)).json["detail"] for text in wrong}
    assert details == {"the API key is not known, or not valid any more"}


def test_when_all_keys_are_revoked_nobody_is_let_in(make_client, key, objects, settings):
    KeyStore(objects).revoke(key.record.id)
    client = make_client(keys=keys_of(settings.storage))
    for headers in ({}, bearer(key)):
        assert_problem(client.get("/v1/jobs", headers=headers), 401, "key-required")


def test_a_process_that_knew_of_keys_does_not_open_when_their_records_vanish(client, key, objects):
    assert client.get("/v1/jobs").status_code == 401
    objects.delete(f"keys/{key.record.id}.json")
    client.application.extensions["spade"].keys._asked = None  # as after a while
    assert client.get("/v1/jobs").status_code == 401


# Scopes


@pytest.mark.parametrize(("scope", "jobs", "metrics"), [("jobs", 200, 403), ("metrics", 403, 200), ("admin", 200, 200)])
def test_a_key_is_for_what_its_scope_says(client, objects, scope, jobs, metrics):
    key = make_key(objects, scope)
    assert client.get("/v1/jobs", headers=bearer(key)).status_code == jobs
    assert client.get("/metrics", headers=bearer(key)).status_code == metrics
    refused = client.get("/metrics" if jobs == 200 else "/v1/jobs", headers=bearer(key))
    if refused.status_code == 403:
        assert_problem(refused, 403, "scope-missing")
        assert "needs the scope '" in refused.json["detail"]
        assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]


# Parts that are away


def test_while_the_object_store_is_away_a_key_lets_nobody_in(make_client, key, settings):
    client = make_client(keys=keys_of(settings.storage, endpoint=NOBODY))
    for headers in (bearer(key), {}):
        response = client.get("/v1/models", headers=headers)
        assert_problem(response, 503, "storage-unavailable")
        assert response.headers["Retry-After"] == "5"
    assert client.get("/livez").status_code == 200


def test_a_service_known_to_have_no_keys_goes_on_while_the_object_store_is_away(make_client, settings):
    keys = keys_of(settings.storage)
    client = make_client(keys=keys)
    assert client.get("/v1/models").status_code == 200
    keys._store = KeyStore(ObjectStore(dataclasses.replace(settings.storage, endpoint=NOBODY)))
    keys._asked -= 60
    assert client.get("/v1/models").status_code == 200


def test_metrics_are_told_to_a_known_key_while_the_object_store_is_away_and_jobs_are_not(
    make_client, objects, settings
):
    key = make_key(objects, "jobs", "metrics")
    keys = keys_of(settings.storage)
    client = make_client(keys=keys)
    assert client.get("/metrics", headers=bearer(key)).status_code == 200
    keys._store = KeyStore(ObjectStore(dataclasses.replace(settings.storage, endpoint=NOBODY)))
    asked, record = keys._records[key.record.id]
    keys._records[key.record.id] = (asked - 60, record)
    assert client.get("/metrics", headers=bearer(key)).status_code == 200
    assert_problem(client.get("/v1/models", headers=bearer(key)), 503, "storage-unavailable")
    keys._records[key.record.id] = (asked - 3600, record)
    assert_problem(client.get("/metrics", headers=bearer(key)), 503, "storage-unavailable")


def test_a_key_that_was_known_a_moment_ago_is_asked_for_once(make_client, key, settings):
    asked = []

    class Counting(KeyStore):
        def find(self, key_id):
            asked.append(key_id)
            return super().find(key_id)

    client = make_client(keys=KeyCache(Counting(ObjectStore(settings.storage))))
    for _ in range(5):
        assert client.get("/v1/models", headers=bearer(key)).status_code == 200
    assert asked == [key.record.id]


def test_made_up_ids_do_not_fill_the_memory(settings, monkeypatch):
    monkeypatch.setattr("api.key_cache.MAX_RECORDS", 10)
    cache = keys_of(settings.storage)
    for number in range(25):
        assert cache.find(f"{number:016x}") is None
    assert len(cache._records) <= 10


# Limits


def test_too_many_requests_are_refused_with_the_time_to_come_back(client, objects):
    key = make_key(objects, rate=Rate(requests=2, seconds=3600))
    first = client.get("/v1/models", headers=bearer(key))
    assert first.headers["RateLimit-Policy"] == '"requests";q=2;w=3600'
    assert first.headers["RateLimit"] == '"requests";r=1;t=1800'
    client.get("/v1/models", headers=bearer(key))
    refused = client.get("/v1/models", headers=bearer(key))
    problem = assert_problem(refused, 429, "rate-limited")
    assert "2/h requests" in problem["detail"]
    assert 1790 <= int(refused.headers["Retry-After"]) <= 1800
    assert refused.headers["RateLimit"].startswith('"requests";r=0;')
    assert client.get("/livez", headers=bearer(key)).status_code == 200
    assert client.get("/v1/models", headers=bearer(make_key(objects))).status_code == 200


def test_while_redis_is_away_requests_that_would_be_counted_are_not_let_in(make_client, objects):
    away = RateLimiter(Scripts(connect(f"redis://{NOBODY}/0")))
    key = make_key(objects, rate=Rate(requests=2, seconds=1))
    response = make_client(rate_limiter=away).get("/v1/models", headers=bearer(key))
    assert_problem(response, 503, "queue-unavailable")


def test_a_keys_cap_of_open_items_holds(post, objects):
    key = make_key(objects, max_items=2)
    assert post(headers=bearer(key), variations=2).status_code == 202
    assert_problem(post(headers=bearer(key)), 429, "queue-full")
    assert post(headers=bearer(make_key(objects))).status_code == 202


def test_a_job_beyond_the_storage_quota_is_refused_and_nothing_of_it_stays(post, objects):
    key = make_key(objects, storage_bytes=1500)
    jobs = []
    while (response := post(headers=bearer(key))).status_code == 202:
        jobs.append(response.json["id"])
    problem = assert_problem(response, 403, "storage-quota-exceeded")
    assert problem["quota_bytes"] == 1500
    used = sum(entry.size_bytes for entry in objects.objects("jobs/") if "/inputs/" in entry.key)
    assert problem["used_bytes"] == used
    assert "ended jobs are removed" in problem["detail"]
    assert jobs
    assert {name.split("/")[1] for name in objects.keys("jobs/")} == set(jobs)


# The document


def test_the_document_says_which_operations_need_a_key_and_for_what(client):
    document = client.get("/openapi.json").json
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    needed = {
        (path, method): operation.get("security")
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert needed["/livez", "get"] is None
    assert needed["/metrics", "get"] == [{"key": ["metrics"]}]
    assert needed["/v1/jobs", "post"] == [{"key": ["jobs"]}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert (needed[path, method] is not None) == ({"401", "403", "429"} <= set(operation["responses"]))


def test_every_operation_that_the_document_guards_is_guarded(client, key):  # noqa: ARG001
    for path, operations in client.get("/openapi.json").json["paths"].items():
        for method, operation in operations.items():
            url = path.replace("{job_id}", "x").replace("{index}", "0").replace("{reference}", "landscape")
            status = client.open(url, method=method.upper()).status_code
            assert (status == 401) == ("security" in operation), (method, path, status)
