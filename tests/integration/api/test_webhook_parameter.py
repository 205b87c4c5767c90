"""The webhook that a job may be given, and what the job tells of it."""

import dataclasses
import io

import pytest

from api.app import create_app
from api.services import connect_services
from support.jobs import read_spec
from support.problems import assert_problem
from support.receivers import SECRET
from workers.webhook_settings import WebhookSettings
from workers.webhook_store import WebhookStore

URL = "http://127.0.0.1:9/hook"


@pytest.fixture
def webhook_settings():
    return WebhookSettings(secrets=(SECRET,), allow=("127.0.0.0/8",))


@pytest.fixture
def settings(settings, webhook_settings):
    return dataclasses.replace(settings, webhooks=webhook_settings)


def refusal(response):
    assert_problem(response, 422, "parameters-refused")
    [fault] = response.json["errors"]
    assert fault["parameter"] == "webhook"
    return fault


def test_a_job_keeps_its_webhook_and_shows_it(post, client, objects):
    job = post(webhook=URL).json
    pending = {"url": URL, "state": "pending", "attempts": 0, "delivered_at": None, "error": None}
    assert job["webhook"] == pending
    assert client.get("/v1/jobs").json["jobs"][0]["webhook"] == pending
    assert read_spec(objects, job["id"]).webhook == URL


def test_a_job_without_a_webhook_has_none(post):
    assert post().json["webhook"] is None


def test_another_webhook_is_another_request(post):
    assert post(path="/v1/jobs/mine", method="PUT", webhook=URL).status_code == 202
    assert post(path="/v1/jobs/mine", method="PUT", webhook=URL).status_code == 200
    assert post(path="/v1/jobs/mine", method="PUT").status_code == 409


@pytest.mark.usefixtures("nothing_happened")
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://10.0.0.1/", "address-refused"),
        ("http://169.254.169.254/latest/meta-data", "address-refused"),
        ("http://[::ffff:169.254.169.254]/", "address-refused"),
        ("ftp://host.example/", "url-malformed"),
        ("https://nowhere.invalid/", "host-unresolved"),
        ("http://127.0.0.1/" + "a" * 2000, "string-too-long"),
    ],
)
def test_a_webhook_that_may_not_be_called_is_refused_by_name(post, url, code):
    assert refusal(post(webhook=url))["code"] == code


@pytest.mark.usefixtures("nothing_happened")
def test_a_service_without_a_secret_refuses_webhooks(settings, label_map):
    services = connect_services(dataclasses.replace(settings, webhooks=WebhookSettings()))
    data = {"params": f'{{"model": "landscape", "webhook": "{URL}"}}'}
    client = create_app(services).test_client()
    response = client.post("/v1/jobs", data={**data, "label_map": (io.BytesIO(label_map), "a.png")})
    fault = refusal(response)
    assert fault["code"] == "no-webhooks"
    assert "SPADE_WEBHOOK_SECRET" in fault["detail"]


def test_the_tag_of_a_job_changes_with_its_webhook(post, client, work, redis_client):
    path = f"/v1/jobs/{post(webhook=URL).json['id']}"
    work()
    tag = client.get(path).headers["ETag"]
    store = WebhookStore(redis_client)
    [delivery] = store.take(lease_seconds=60, most=1, most_of_one=1, in_hand={})
    store.delivered(delivery)
    response = client.get(path, headers={"If-None-Match": tag})
    assert response.status_code == 200
    assert response.json["webhook"]["state"] == "delivered"
    assert response.json["webhook"]["delivered_at"].endswith("Z")
