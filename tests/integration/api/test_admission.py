"""A full queue, and parts that are away: nothing is accepted half."""

import dataclasses
import io

import pytest

from support.problems import assert_problem
from workers.errors import QueueUnavailableError
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.redis_client import connect
from workers.settings import QueueSettings
from workers.storage import ObjectStore
from workers.wakeup import WakeUp, create_celery

NOBODY = "127.0.0.1:9"


class Recorded(JobStore):
    """A job store whose connection breaks when a job is submitted; `before` or after Redis has done it."""

    def __init__(self, client, *, lost_reply):
        super().__init__(client, QueueSettings())
        self.lost_reply = lost_reply

    def submit(self, spec, **terms):
        if self.lost_reply:
            super().submit(spec, **terms)
        raise QueueUnavailableError("the connection broke")


class Repeating(JobStore):
    """A job store whose client repeats a call, because the first reply was lost."""

    def submit(self, spec, **terms):
        super().submit(spec, **terms)
        super().submit(spec, **terms)


class Crossed(JobStore):
    """A job store in which another job takes the id at the last moment."""

    def submit(self, spec, **terms):
        super().submit(dataclasses.replace(spec, request_digest="other"), **terms)
        super().submit(spec, **terms)


@pytest.fixture
def send(make_client, label_map):
    def send(headers=None, **replaced):
        data = {"params": '{"model": "landscape"}', "label_map": [(io.BytesIO(label_map), f"{i}.png") for i in (0, 1)]}
        return make_client(**replaced).post("/v1/jobs", data=data, headers=headers)

    return send


@pytest.mark.parametrize("caps", [{"max_open_items": 1}, {"max_owner_items": 1}, {"max_open_pixels": 256 * 256}])
def test_a_full_queue_answers_when_to_try_again_and_keeps_nothing(send, redis_client, assert_untouched, caps):
    response = send(job_store=JobStore(redis_client, QueueSettings(**caps)))
    assert response.status_code == 429
    assert response.json["type"] == "urn:spade-serving:problem:queue-full"
    assert int(response.headers["Retry-After"]) >= 1
    assert "at most" in response.json["detail"]
    assert_untouched()


def test_a_redis_that_is_away_answers_503_and_nothing_is_stored(send, assert_untouched, settings):
    away = connect(f"redis://{NOBODY}/0")
    response = send(job_store=JobStore(away, settings.queue), job_reader=JobReader(away))
    assert response.status_code == 503
    assert response.json["type"] == "urn:spade-serving:problem:queue-unavailable"
    assert response.headers["Retry-After"] == "5"
    assert NOBODY not in response.get_data(as_text=True)
    assert_untouched()


def test_an_object_store_that_is_away_answers_503_and_nothing_is_queued(send, assert_untouched, settings):
    away = ObjectStore(dataclasses.replace(settings.storage, endpoint=NOBODY))
    response = send(object_store=away)
    assert response.status_code == 503
    assert response.json["type"] == "urn:spade-serving:problem:storage-unavailable"
    assert response.headers["Retry-After"] == "5"
    assert NOBODY not in response.get_data(as_text=True)
    assert_untouched()


def test_a_job_whose_submission_broke_keeps_its_inputs_but_was_not_acknowledged(send, redis_client, objects, reader):
    response = send(job_store=Recorded(redis_client, lost_reply=True))
    problem = assert_problem(response, 503, "submission-uncertain")
    assert "may be queued or not" in problem["detail"]
    assert response.headers["Retry-After"] == "5"
    (job,) = reader.jobs("local")
    assert sorted(objects.keys("jobs/")) == [f"jobs/{job.id}/inputs/{i}.png" for i in (0, 1)]


def test_a_bulk_job_whose_submission_broke_does_not_stay_open_for_ever(
    make_client, services, objects, reader, label_map, redis_client
):
    objects.put("inputs/set/a.png", label_map)
    client = make_client(job_store=Recorded(redis_client, lost_reply=True))
    response = client.post("/v1/jobs", json={"params": {"model": "landscape"}, "prefix": "inputs/set/"})
    assert_problem(response, 503, "submission-uncertain")
    (job,) = reader.jobs("local")
    services.filler.fill(job.id)
    assert [item.file for item in reader.items(reader.job(job.id))] == ["set/a.png"]


def test_a_job_that_never_reached_the_queue_leaves_no_description_to_rebuild_it_from(send, redis_client, objects):
    assert send(job_store=Recorded(redis_client, lost_reply=False)).status_code == 503
    assert not [key for key in objects.keys("jobs/") if key.endswith("job.json")]


def test_a_submission_under_ones_own_id_that_broke_is_simply_sent_again(
    make_client, label_map, redis_client, objects, reader
):
    def put(**replaced):
        data = {"params": '{"model": "landscape"}', "label_map": [(io.BytesIO(label_map), "a.png")]}
        return make_client(**replaced).put("/v1/jobs/mine", data=data)

    assert_problem(put(job_store=Recorded(redis_client, lost_reply=True)), 503, "submission-uncertain")
    assert put().status_code == 200
    assert len(list(reader.jobs("local"))) == 1
    assert "jobs/mine/job.json" in list(objects.keys("jobs/mine/"))  # acknowledged, so it can be rebuilt


class Departing(JobReader):
    """A reader whose Redis goes away as soon as a job has been submitted."""

    def job(self, job_id, *, owner=None):
        raise QueueUnavailableError(f"the connection broke at {job_id} of {owner}")


def test_a_job_that_was_accepted_is_answered_so_though_redis_went_away_right_after(send, redis_client, reader):
    response = send(job_reader=Departing(redis_client), headers={"Prefer": "wait=1"})
    assert response.status_code == 202
    (job,) = reader.jobs("local")
    assert response.headers["Location"] == f"/v1/jobs/{job.id}"
    assert response.json["state"] == "queued"
    assert response.json["counts"]["queued"] == 2
    assert [item["file"] for item in response.json["items"]] == ["0.png", "1.png"]
    assert response.json["seed"] == reader.items(job)[0].seed


def test_a_redis_that_has_no_memory_left_takes_nothing_in(send, redis_client, assert_untouched):
    redis_client.config_set("maxmemory", 1)
    try:
        response = send()
    finally:
        redis_client.config_set("maxmemory", 0)
    assert_problem(response, 429, "queue-full")
    assert int(response.headers["Retry-After"]) >= 1
    assert_untouched()


def test_a_repeated_call_to_redis_is_one_job(send, redis_client, reader):
    assert send(job_store=Repeating(redis_client, QueueSettings())).status_code == 202
    assert len(list(reader.jobs("local"))) == 1
    assert reader.stats().open_items == 2


def test_a_job_of_the_same_id_in_the_queue_refuses_another_and_keeps_its_inputs(send, redis_client, objects, reader):
    response = send(job_store=Crossed(redis_client, QueueSettings()))
    assert response.status_code == 409
    (job,) = reader.jobs("local")
    assert [key for item in reader.items(job) if (key := item.label_map_key) not in set(objects.keys("jobs/"))] == []


def test_a_broker_that_takes_no_wake_up_does_not_lose_the_job(send, reader):
    response = send(wake_up=WakeUp(create_celery(f"redis://{NOBODY}/0"), connect(f"redis://{NOBODY}/0")))
    assert response.status_code == 202
    assert reader.stats().open_items == 2


def test_a_wake_up_is_sent_for_the_model(post, redis_client):
    post()
    assert redis_client.llen("{spade-celery}:synthesize.landscape") == 1


def test_wake_ups_do_not_pile_up_while_no_worker_reads_them(client, post, redis_client):
    for _ in range(5):
        client.post(f"/v1/jobs/{post().json['id']}/cancel")
    assert redis_client.llen("{spade-celery}:synthesize.landscape") == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/jobs"), ("GET", "/v1/jobs/x"), ("GET", "/v1/jobs/x/items/0/image"), ("POST", "/v1/jobs/x/cancel")],
)
def test_reads_answer_503_while_redis_is_away(make_client, settings, method, path):
    away = connect(f"redis://{NOBODY}/0")
    client = make_client(job_store=JobStore(away, settings.queue), job_reader=JobReader(away))
    response = client.open(path, method=method)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"


def test_models_are_listed_while_redis_is_away(make_client):
    client = make_client(job_reader=JobReader(connect(f"redis://{NOBODY}/0")))
    assert client.get("/v1/models").status_code == 200


def test_readiness_says_which_part_is_away(make_client, settings):
    ready = make_client().get("/readyz")
    assert (ready.status_code, ready.json) == (
        200,
        {"status": "ready", "checks": {"queue": "ok", "object_store": "ok"}},
    )

    no_queue = make_client(watching_reader=JobReader(connect(f"redis://{NOBODY}/0"))).get("/readyz")
    assert no_queue.status_code == 503
    assert no_queue.content_type == "application/problem+json"
    assert no_queue.json["checks"] == {"queue": "away", "object_store": "ok"}

    away = ObjectStore(dataclasses.replace(settings.storage, endpoint=NOBODY))
    no_store = make_client(object_store=away).get("/readyz")
    assert no_store.status_code == 503
    assert no_store.json["checks"] == {"queue": "ok", "object_store": "away"}


def test_the_process_is_alive_whatever_is_away(make_client, settings):
    away = ObjectStore(dataclasses.replace(settings.storage, endpoint=NOBODY))
    client = make_client(job_reader=JobReader(connect(f"redis://{NOBODY}/0")), object_store=away)
    assert client.get("/livez").status_code == 200
    assert client.get("/metrics").status_code == 200
