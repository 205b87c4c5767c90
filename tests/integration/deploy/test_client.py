"""The client of the API against a real service, and against servers that misbehave."""

import hashlib
import io
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from PIL import Image

from api.client import SpadeClient
from api.client_errors import ClientError
from api.parameters import JobParameters
from api.representation import JobSummary
from deploy.examples import example_label_maps
from support.answering import reply, serving
from workers.messages import CancelOutcome, State

BEACH, LAKE = (example.path for example in example_label_maps()[:2])
LANDSCAPE = JobParameters(model="landscape", seed=3)


def test_label_maps_go_in_and_pictures_come_out(client: SpadeClient) -> None:
    seen: list[JobSummary] = []
    submitted = client.submit([BEACH, LAKE], LANDSCAPE)
    job = client.follow(submitted.id, on_change=seen.append)
    assert job.state is State.SUCCEEDED
    assert seen[-1] == job
    assert [item.file for item in job.items] == ["beach.png", "lake.png"]
    pictures = [client.picture(item) for item in job.items]
    assert len(set(pictures)) == 2
    with Image.open(io.BytesIO(pictures[0])) as picture:
        assert picture.size == (256, 256)


def test_jobs_and_models_are_listed(client: SpadeClient) -> None:
    job = client.submit([BEACH], LANDSCAPE)
    assert job.id in [listed.id for listed in client.jobs().jobs]
    assert client.job(job.id).id == job.id
    assert {model.name for model in client.models().models} >= {"landscape", "coco-stuff"}
    assert client.model("coco-stuff").training == "untrained"


def test_a_cancel_says_what_happened_to_each_item(client: SpadeClient) -> None:
    job = client.submit([BEACH], LANDSCAPE.model_copy(update={"variations": 30}))
    outcomes = [item.outcome for item in client.cancel(job.id).items]
    assert len(outcomes) == 30
    assert CancelOutcome.DEQUEUED in outcomes
    assert client.follow(job.id).state is State.CANCELED


def test_what_was_wrong_with_each_file_is_in_the_error(client: SpadeClient, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    Image.new("L", (4, 4), 77).save(bad)
    (tmp_path / "worse.png").write_bytes(b"no picture")
    with pytest.raises(ClientError) as caught:
        client.submit([bad, tmp_path / "worse.png"], LANDSCAPE)
    assert "bad.png: " in str(caught.value)
    assert "worse.png: " in str(caught.value)
    assert caught.value.problem is not None
    assert caught.value.problem.status == 422


def test_an_unknown_job_is_an_error(client: SpadeClient) -> None:
    with pytest.raises(ClientError, match="No such job"):
        client.job("01K9ZQ6T7V3E8XW2M5N4R1S0AB")


def test_an_item_without_a_picture_has_none_to_fetch(client: SpadeClient) -> None:
    job = client.submit([BEACH], LANDSCAPE)
    client.cancel(job.id)
    canceled = client.follow(job.id).items[0].model_copy(update={"image": None})
    with pytest.raises(ClientError, match=r"beach\.png ended as \w+ and has no picture"):
        client.picture(canceled)


def test_a_damaged_picture_is_noticed(client: SpadeClient) -> None:
    item = client.follow(client.submit([BEACH], LANDSCAPE).id).items[0]
    assert item.image is not None
    other = item.model_copy(update={"image": item.image.model_copy(update={"sha256": hashlib.sha256(b"").hexdigest()})})
    with pytest.raises(ClientError, match=r"beach\.png was damaged on its way"):
        client.picture(other)


def test_an_archive_of_an_unfinished_job_is_refused_and_leaves_no_file(client: SpadeClient, tmp_path: Path) -> None:
    job = client.submit([BEACH], LANDSCAPE.model_copy(update={"variations": 30}))
    with pytest.raises(ClientError, match="The job has not ended"):
        client.archive(job.id, tmp_path / "job.zip")
    assert list(tmp_path.iterdir()) == []
    client.cancel(job.id)


def test_not_now_is_asked_again_when_the_service_said_to() -> None:
    statuses = iter([503, 429, 200])

    def answer(handler: BaseHTTPRequestHandler) -> None:
        reply(handler, next(statuses), b'{"models": []}', Retry_After="0")

    with serving(answer) as url, SpadeClient(url) as client:
        assert client.models().models == []


def test_not_now_for_longer_than_one_is_patient_is_an_error() -> None:
    with (
        serving(lambda handler: reply(handler, 503, b"away", Retry_After="30")) as url,
        SpadeClient(url, patience_seconds=20) as client,
        pytest.raises(ClientError, match=r"/v1/models answered 503 Service Unavailable$"),
    ):
        client.models()


def test_while_a_job_is_followed_a_lost_connection_is_tried_again() -> None:
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        if len(asked) <= 2:
            handler.connection.close()
        else:
            reply(handler, 404, b"{}")

    with serving(answer) as url, SpadeClient(url) as client, pytest.raises(ClientError, match="answered 404"):
        client.follow("any")
    assert asked == ["/v1/jobs/any/events"] + ["/v1/jobs/any?wait=1"] * 2


def test_an_archive_that_breaks_off_is_fetched_again(tmp_path: Path) -> None:
    announced = iter([100, 3])

    def answer(handler: BaseHTTPRequestHandler) -> None:
        reply(handler, 200, b"zip", Content_Length=str(next(announced)), Connection="close")
        handler.close_connection = True

    with serving(answer) as url, SpadeClient(url) as client:
        client.archive("any", tmp_path / "job.zip")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"zip"]


def test_a_submission_whose_answer_was_lost_is_repeated_under_the_same_id() -> None:
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        asked.append(handler.path)
        match len(asked):
            case 1:
                handler.connection.close()
            case 2:
                reply(handler, 409, b"the request before is not over", Retry_After="1")
            case _:
                reply(handler, 422, b"{}")

    with serving(answer) as url, SpadeClient(url) as client, pytest.raises(ClientError, match="answered 422"):
        client.submit([BEACH], LANDSCAPE)
    assert len(asked) == 3
    assert len(set(asked)) == 1


def test_a_picture_that_the_object_store_fails_to_give_is_fetched_again(client: SpadeClient) -> None:
    item = client.follow(client.submit([BEACH], LANDSCAPE).id).items[0]
    content, statuses = client.picture(item), iter([500, 200])

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/image"):
            reply(handler, 303, b"", Location="/stored")
        else:
            reply(handler, next(statuses), content)

    with serving(answer) as url, SpadeClient(url) as redirected:
        assert redirected.picture(item) == content


def test_a_proxy_is_not_asked_for_what_is_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(lambda handler: reply(handler, 200, b'{"models": []}')) as url, SpadeClient(url) as client:
        assert client.models().models == []


def test_another_service_at_the_address_is_recognized() -> None:
    with (
        serving(lambda handler: reply(handler, 200, b"<html>")) as url,
        SpadeClient(url) as client,
        pytest.raises(ClientError, match="did not answer as this service does; is the address right"),
    ):
        client.models()


def test_a_service_that_is_not_there_is_told_at_once() -> None:
    with SpadeClient("http://127.0.0.1:9") as client:
        began = time.monotonic()
        with pytest.raises(ClientError, match="is the service running"):
            client.submit([BEACH], LANDSCAPE)
        assert time.monotonic() - began < 10
