"""Server-sent events of a job."""

import json
import threading

import httpx
import pytest
from httpx_sse import EventSource

from api import events
from api.services import MAX_ARCHIVES, MAX_EVENT_STREAMS, MAX_WAITING_REQUESTS
from deploy import gunicorn_config
from support.problems import assert_problem
from workers.job_reader import JobReader
from workers.redis_client import connect


class Stream:
    """The events of a response, one by one, as they come."""

    def __init__(self, response):
        assert response.status_code == 200
        assert response.content_type == "text/event-stream"
        self.response = response
        content = httpx.Response(200, headers={"Content-Type": response.content_type}, content=response.response)
        self._events = EventSource(content).iter_sse()

    def __iter__(self):
        return (event for event in self._events if event.data)  # the library makes one of `retry` too

    def until(self, kind):
        """The events up to the next one of a kind, that one included."""
        found = []
        for event in self:
            found.append(event)
            if event.event == kind:
                return found
        pytest.fail(f"the stream ended before {kind}: {found}")


@pytest.fixture
def listen(client):
    opened = []

    def listen(job_id, last_event_id=None):
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        response = client.get(f"/v1/jobs/{job_id}/events", headers=headers, buffered=False)
        opened.append(response)
        return Stream(response)

    yield listen
    for response in opened:
        response.close()


def kinds(found):
    return [event.event for event in found]


def indices(found):
    return [json.loads(event.data)["index"] for event in found if event.event == "item"]


def test_a_job_is_told_from_its_beginning_to_its_end(listen, post, work, label_map):
    job = post([label_map] * 3).json
    stream = listen(job["links"]["events"].split("/")[3])
    queued = stream.until("progress")
    assert kinds(queued) == ["state", "progress"]
    assert json.loads(queued[0].data)["state"] == "queued"
    work(1)
    running = stream.until("progress")
    assert kinds(running) == ["state", "item", "progress"]
    assert json.loads(running[0].data)["state"] == "running"
    item = json.loads(running[1].data)
    assert (item["index"], item["state"]) == (0, "succeeded")
    assert item["image"]["href"] == f"{job['links']['self']}/items/0/image"
    assert json.loads(running[2].data)["counts"]["succeeded"] == 1
    work()
    ended = list(stream)
    assert kinds(ended) == ["item", "item", "end"]
    assert indices(ended) == [1, 2]
    end = json.loads(ended[-1].data)
    assert (end["state"], end["counts"]["succeeded"]) == ("succeeded", 3)


def test_a_stream_goes_on_after_any_event_without_telling_one_twice(listen, post, work, label_map):
    job_id = post([label_map] * 3).json["id"]
    work()
    whole = list(listen(job_id))
    assert kinds(whole) == ["item"] * 3 + ["end"]
    for number, event in enumerate(whole[:-1], start=1):
        rest = list(listen(job_id, event.id))
        assert [(later.event, later.data, later.id) for later in rest] == [
            (later.event, later.data, later.id) for later in whole[number:]
        ]


def test_a_state_that_was_told_is_not_told_again(listen, post, monkeypatch):
    monkeypatch.setattr(events, "MAX_STREAM_SECONDS", 0.5)
    job_id = post().json["id"]
    state, progress = listen(job_id).until("progress")
    assert kinds(listen(job_id, state.id).until("progress")) == ["progress"]
    assert kinds(listen(job_id, progress.id)) == []


def test_after_the_end_there_is_nothing(client, listen, finished):
    end = list(listen(finished))[-1]
    response = client.get(f"/v1/jobs/{finished}/events", headers={"Last-Event-ID": end.id})
    assert (response.status_code, response.get_data()) == (204, b"")


@pytest.mark.parametrize("sent", ["", "x", "1-2-none", "-1-0-queued", "9" * 99 + "-1-queued", "é", "1-1-queued\x00"])
def test_an_id_that_is_none_of_ours_begins_at_the_beginning(listen, finished, sent):
    assert kinds(listen(finished, sent)) == ["item", "item", "end"]


def test_an_id_from_beyond_the_end_is_harmless(listen, finished):
    assert kinds(listen(finished, "999999-999-running")) == ["end"]


def test_an_unknown_job_has_no_events_and_one_that_is_no_longer_kept_says_so(client, finished, services):
    assert_problem(client.get("/v1/jobs/nope/events"), 404, "job-unknown")
    services.job_store.forget(finished)
    assert_problem(client.get(f"/v1/jobs/{finished}/events"), 410, "job-expired")


def test_a_connection_without_news_is_kept_alive(listen, post, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.0)
    monkeypatch.setattr(events, "LOOK_SECONDS", 0.01)
    chunks = listen(post().json["id"]).response.response
    assert b":\n\n" in [next(chunks) for _ in range(4)]


def test_a_stream_ends_after_a_time_so_that_others_get_a_turn(listen, post, monkeypatch):
    monkeypatch.setattr(events, "MAX_STREAM_SECONDS", 0.3)
    assert kinds(listen(post().json["id"])) == ["state", "progress"]


def test_the_end_of_the_process_ends_streams_and_waiting(make_client, services, post):
    path = post().json["links"]["self"]
    client = make_client()
    stream = Stream(client.get(f"{path}/events", buffered=False))
    stream.until("progress")
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(client.get(f"{path}?wait=60").status_code))
    waiter.start()
    services.stopping.set()
    assert list(stream) == []
    waiter.join(20)
    assert answers == [200]
    assert_problem(client.get(f"{path}/events"), 503, "busy")


def test_a_redis_that_goes_away_is_told_and_ends_the_stream(make_client, services, post, redis_client):
    job_id = post().json["id"]

    class Departing(JobReader):
        """Its Redis goes away after the job was read twice."""

        def job(self, job_id, *, owner=None):
            self.reads = getattr(self, "reads", 0) + 1
            reader = services.job_reader if self.reads < 3 else JobReader(connect("redis://127.0.0.1:9/0"))
            return reader.job(job_id, owner=owner)

    client = make_client(job_reader=Departing(redis_client))
    found = list(Stream(client.get(f"/v1/jobs/{job_id}/events", buffered=False)))
    assert kinds(found) == ["state", "progress", "unavailable"]
    problem = json.loads(found[-1].data)
    assert (problem["type"], problem["status"]) == ("urn:spade-serving:problem:queue-unavailable", 503)
    assert problem["instance"] == f"/v1/jobs/{job_id}/events"
    assert problem["request_id"]
    assert "127.0.0.1" not in found[-1].data


def test_only_so_many_streams_are_open_at_a_time_and_a_client_that_leaves_makes_room(client, listen, post):
    job_id = post().json["id"]
    streams = [listen(job_id) for _ in range(MAX_EVENT_STREAMS)]
    for stream in streams:
        stream.until("progress")
    assert_problem(client.get(f"/v1/jobs/{job_id}/events"), 503, "busy")
    streams[0].response.close()
    with client.head(f"/v1/jobs/{job_id}/events") as head:
        assert (head.status_code, head.get_data()) == (200, b"")
    assert kinds(listen(job_id).until("progress")) == ["state", "progress"]


def test_there_are_threads_for_other_requests_when_all_places_are_taken():
    assert gunicorn_config.threads >= MAX_WAITING_REQUESTS + MAX_ARCHIVES + MAX_EVENT_STREAMS + 4


def test_many_items_are_told_in_pages(listen, post, work, monkeypatch):
    monkeypatch.setattr(events, "PAGE_ITEMS", 3)
    job_id = post(variations=10).json["id"]
    work()
    assert indices(listen(job_id)) == list(range(10))
