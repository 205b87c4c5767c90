"""`Server-Timing`: where the time of a request went, and that of the pictures that it tells of."""

import dataclasses
import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from api.services import Services
from workers.settings import HttpSettings

METRIC = re.compile(r'([a-z]+(?:-[a-z]+)*);dur=([0-9]+\.[0-9]{2})(;desc="[^"]*")?')


def metrics(response: TestResponse) -> dict[str, float]:
    """The header by name, in milliseconds; fails where it is not as W3C Server Timing has it."""
    found = [METRIC.fullmatch(metric) for metric in response.headers["Server-Timing"].split(", ")]
    assert all(found), response.headers["Server-Timing"]
    return {match[1]: float(match[2]) for match in found if match}


def test_a_submission_tells_its_stages_and_their_total(post: Callable[..., TestResponse]) -> None:
    told = metrics(post())
    assert list(told) == ["auth", "read", "decode", "store", "enqueue", "wake", "total"]
    assert sum(told.values()) - told["total"] <= told["total"] + 0.1
    assert told["store"] > 0


@pytest.mark.parametrize("path", ["/livez", "/v1/models", "/v1/jobs/nope", "/nowhere", "/docs"])
def test_every_answer_tells_its_total(client: FlaskClient, path: str) -> None:
    assert "total" in metrics(client.get(path))


def test_a_job_that_has_ended_tells_where_the_time_of_its_pictures_went(client: FlaskClient, finished: str) -> None:
    response = client.get(f"/v1/jobs/{finished}")
    assert metrics(response)["picture-compute"] == 500  # as `result_of` says
    assert 'picture-compute;dur=500.00;desc="mean of 2"' in response.headers["Server-Timing"]


def test_an_open_job_tells_nothing_of_its_pictures(client: FlaskClient, post: Callable[..., TestResponse]) -> None:
    job_id = post().json["id"]
    assert not any(name.startswith("picture-") for name in metrics(client.get(f"/v1/jobs/{job_id}")))


def test_waiting_for_a_job_is_told_as_such(client: FlaskClient, post: Callable[..., TestResponse]) -> None:
    job_id = post().json["id"]
    assert metrics(client.get(f"/v1/jobs/{job_id}?wait=0.2"))["wait"] >= 150  # the time runs from before it


def test_pages_of_the_origins_that_are_allowed_may_read_it_and_no_others(services: Services) -> None:
    http = HttpSettings(cors_origins=("https://studio.example",))
    settings = dataclasses.replace(services.settings, http=http)
    client = create_app(dataclasses.replace(services, settings=settings)).test_client()
    answer = client.get("/v1/models", headers={"Origin": "https://studio.example"})
    assert answer.headers["Timing-Allow-Origin"] == "https://studio.example"
    assert "Server-Timing" in answer.headers["Access-Control-Expose-Headers"]
    for headers in ({}, {"Origin": "https://other.example"}):
        assert "Timing-Allow-Origin" not in client.get("/v1/models", headers=headers).headers
