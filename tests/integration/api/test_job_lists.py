"""Jobs listed in pages, by state, model and time."""

import pytest

from support.problems import assert_problem


def ids(response):
    return [job["id"] for job in response.json["jobs"]]


def test_jobs_are_listed_newest_first_in_pages(client, post):
    submitted = [post().json["id"] for _ in range(5)]
    seen, path, pages = [], "/v1/jobs?limit=2", 0
    while path:
        response = client.get(path)
        assert response.status_code == 200
        seen += ids(response)
        path = response.json["next"]
        pages += 1
    assert seen == submitted[::-1]
    assert pages == 3
    assert "items" not in response.json["jobs"][0]


def test_pages_do_not_shift_when_jobs_are_added(client, post):
    submitted = [post().json["id"] for _ in range(3)]
    first = client.get("/v1/jobs?limit=1")
    post()
    second = client.get(first.json["next"])
    assert ids(first) + ids(second) == [submitted[2], submitted[1]]


def test_jobs_are_filtered_by_state_and_model(client, post, work):
    done = post().json["id"]
    work()
    waiting = post().json["id"]
    other = post(model="coco-stuff").json["id"]
    assert ids(client.get("/v1/jobs?state=succeeded")) == [done]
    assert ids(client.get("/v1/jobs?state=queued&state=running")) == [other, waiting]
    assert ids(client.get("/v1/jobs?model=landscape")) == [waiting, done]
    assert ids(client.get("/v1/jobs?model=landscape@1&state=queued")) == [waiting]
    assert ids(client.get("/v1/jobs?model=landscape@2")) == []


def test_jobs_are_filtered_by_label(client, post):
    first = post(labels={"order": "7", "note": "a=b"}).json["id"]
    second = post(labels={"order": "8"}).json["id"]
    post()
    assert ids(client.get("/v1/jobs?label=order")) == [second, first]
    assert ids(client.get("/v1/jobs?label=order=7")) == [first]
    assert ids(client.get("/v1/jobs?label=order=")) == []
    assert ids(client.get("/v1/jobs?label=order&label=note=a=b")) == [first]


def test_filters_are_kept_from_page_to_page(client, post):
    submitted = [post(model=name).json["id"] for name in ("landscape", "coco-stuff", "landscape")]
    first = client.get("/v1/jobs?model=landscape&limit=1")
    second = client.get(first.json["next"])
    assert ids(first) + ids(second) == [submitted[2], submitted[0]]


def test_jobs_are_filtered_by_time(client, post):
    jobs = [post().json for _ in range(5)]
    middle = jobs[2]["created_at"]
    since = {job["id"] for job in jobs if job["created_at"] >= middle}
    until = {job["id"] for job in jobs if job["created_at"] <= middle}
    assert set(ids(client.get(f"/v1/jobs?since={middle}"))) == since
    assert set(ids(client.get(f"/v1/jobs?until={middle}"))) == until
    assert ids(client.get("/v1/jobs?since=2100-01-01T00:00:00Z")) == []
    assert ids(client.get("/v1/jobs?until=2000-01-01T00:00:00Z")) == []


def test_a_page_looks_at_a_bounded_number_of_jobs(client, post, monkeypatch):
    monkeypatch.setattr("api.pages.MAX_EXAMINED", 2)
    submitted = [post(model=name).json["id"] for name in ("coco-stuff", "landscape", "landscape")]
    first = client.get("/v1/jobs?model=coco-stuff")
    assert ids(first) == []
    assert ids(client.get(first.json["next"])) == submitted[:1]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("state=done", "state.0"),
        ("label==7", "label.0"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("since=yesterday", "since"),
        ("since=2026-01-01T00:00:00", "since"),
        ("cursor=nonsense", "cursor"),
        ("cursor=W10", "cursor"),
        ("cursor=WzFlNDAwLCAiYSJd", "cursor"),
        ("page=2", "page"),
    ],
)
def test_a_query_that_does_not_fit_is_refused_by_name(client, query, name):
    response = client.get(f"/v1/jobs?{query}")
    assert_problem(response, 422, "parameters-refused")
    assert response.json["errors"][0]["parameter"] == name
