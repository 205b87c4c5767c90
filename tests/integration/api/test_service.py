"""Models, metrics, documentation, headers: what is true of every answer."""

import logging
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.problems import assert_problem
from workers.logs import ContextFields


def samples(client):
    text = client.get("/metrics").get_data(as_text=True)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


# Models


def test_all_models_are_listed_with_their_cards(client):
    response = client.get("/v1/models")
    assert response.status_code == 200
    models = {model["name"]: model for model in response.json["models"]}
    assert set(models) >= {"landscape", "coco-stuff"}
    landscape, coco = models["landscape"], models["coco-stuff"]
    assert (landscape["training"], coco["training"]) == ("trained", "untrained")
    assert (len(landscape["classes"]), landscape["unknown_id"]) == (13, 13)
    assert (len(coco["classes"]), coco["unknown_id"]) == (182, 182)
    assert (landscape["uses_instances"], coco["uses_instances"]) == (False, True)
    assert (landscape["size_multiple"], coco["size_multiple"]) == (None, 32)
    assert (landscape["seed_matters"], coco["seed_matters"]) == (True, False)
    assert landscape["palettes"] == ["model", "gaugan"]
    assert re.fullmatch("[0-9a-f]{64}", landscape["weights_sha256"])
    assert landscape["pixels_per_second"] is None


@pytest.mark.parametrize("reference", ["landscape", "landscape@1"])
def test_a_model_is_read_by_name_or_by_name_and_version(client, reference):
    response = client.get(f"/v1/models/{reference}")
    assert (response.json["name"], response.json["version"]) == ("landscape", "1")
    assert {"id": 0, "name": "sky", "color": "#9ceedd"} in response.json["classes"]


def test_an_unknown_model_is_not_found_and_those_that_exist_are_listed(client):
    response = client.get("/v1/models/nope")
    assert response.status_code == 404
    assert response.json["type"] == "urn:spade-serving:problem:model-unknown"
    assert "coco-stuff, landscape, street" in response.json["detail"]


def test_a_model_whose_card_is_damaged_is_refused_with_the_reason_and_the_others_are_served(client, post, settings):
    card = settings.models_dir / "broken" / "2" / "card.json"
    card.parent.mkdir(parents=True)
    card.write_text("{")
    listed = client.get("/v1/models").json
    assert {model["name"] for model in listed["models"]} == {"coco-stuff", "landscape", "street"}
    (told,) = listed["unusable"]
    assert (told["name"], told["version"]) == ("broken", "2")
    reason = r"model broken@2 cannot be used: card\.json: not JSON.*`spade-serve models remove broken@2`"
    assert re.match(reason, told["detail"])
    assert str(settings.models_dir) not in told["detail"]
    for reference in ("broken", "broken@2"):
        assert re.match(reason, assert_problem(client.get(f"/v1/models/{reference}"), 409, "model-unusable")["detail"])
        (fault,) = assert_problem(post(model=reference), 422, "parameters-refused")["errors"]
        assert (fault["parameter"], fault["code"]) == ("model", "unusable-model")
        assert re.match(reason, fault["detail"])
    assert post().status_code == 202


def test_a_models_speed_is_told_once_it_has_worked(client, post, work):
    post()
    work()
    assert client.get("/v1/models/landscape").json["pixels_per_second"] > 0


# Metrics


def test_requests_are_counted_by_route_and_never_by_path(client, post):
    job_id = post().json["id"]
    client.get(f"/v1/jobs/{job_id}")
    client.get("/v1/jobs/nope")
    client.get("/nothing/here")
    client.open("/v1/jobs", method="BREW")
    counted = samples(client)
    name = "spade_api_requests_total"
    one = ("method", "GET"), ("route", "/v1/jobs/<job_id>")
    assert counted[name, *one, ("status", "200")] == 1
    assert counted[name, *one, ("status", "404")] == 1
    assert counted[name, ("method", "POST"), ("route", "/v1/jobs"), ("status", "202")] == 1
    assert counted[name, ("method", "GET"), ("route", "unmatched"), ("status", "404")] == 1
    assert counted[name, ("method", "other"), ("route", "unmatched"), ("status", "405")] == 1
    assert counted["spade_api_request_seconds_count", *one] == 2
    assert job_id not in client.get("/metrics").get_data(as_text=True)


def test_calls_to_the_object_store_are_counted_and_the_queues_figures_are_left_to_the_exporter(client, post):
    post(variations=3)
    counted = samples(client)
    # The label map, which its variations share, and the job.
    assert counted["spade_storage_calls_total", ("operation", "put"), ("outcome", "ok")] == 2
    assert counted["spade_storage_seconds_count", ("operation", "put")] == 2
    assert not [name for name, *_ in counted if name.startswith(("spade_queue_", "spade_items_"))]


# Request ids, logs, headers


@pytest.mark.parametrize("path", ["/livez", "/v1/jobs", "/v1/jobs/nope", "/nothing", "/docs", "/metrics"])
def test_every_answer_carries_a_request_id_and_careful_headers(client, path):
    response = client.get(path)
    assert re.fullmatch("[0-9A-Z]{26}", response.headers["X-Request-Id"])
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"]


def test_a_sane_request_id_of_the_client_is_kept(client):
    assert client.get("/livez", headers={"X-Request-Id": "trace-1.a_B"}).headers["X-Request-Id"] == "trace-1.a_B"


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "é", '"quoted"'])
def test_another_request_id_of_the_client_is_replaced(client, sent):
    assert client.get("/livez", headers={"X-Request-Id": sent}).headers["X-Request-Id"] != sent


def test_every_request_is_logged_with_its_id(client, caplog):
    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(ContextFields())
    client.get("/v1/jobs/nope", headers={"X-Request-Id": "mine"})
    (record,) = [record for record in caplog.records if record.name == "api.requests"]
    assert (record.request_id, record.method, record.path, record.status) == ("mine", "GET", "/v1/jobs/nope", 404)
    assert record.seconds > 0


def test_an_error_of_the_service_itself_shows_no_insides(make_client, caplog):
    class Broken:
        def ping(self):
            raise RuntimeError("secret address")

    caplog.handler.addFilter(ContextFields())
    response = make_client(watching_reader=Broken()).get("/readyz")
    assert response.status_code == 500
    assert response.content_type == "application/problem+json"
    assert response.json["type"] == "urn:spade-serving:problem:internal-error"
    assert "secret" not in response.get_data(as_text=True)
    (record,) = [record for record in caplog.records if record.name == "api.problems"]
    assert record.request_id == response.headers["X-Request-Id"]
    assert "secret address" in str(record.exc_info)


# Methods and paths


def test_an_unknown_path_is_a_problem(client):
    response = client.get("/v1/nothing")
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"
    assert response.json["type"] == "urn:spade-serving:problem:not-found"


def test_an_unknown_method_is_a_problem_that_says_which_are_known(client):
    response = client.delete("/v1/jobs")
    assert response.status_code == 405
    assert response.content_type == "application/problem+json"
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))


def test_doubled_slashes_are_redirected(client):
    response = client.get("/v1//models")
    assert (response.status_code, response.headers["Location"]) == (308, "http://localhost/v1/models")


def test_head_and_options_are_answered(client, post):
    path = f"/v1/jobs/{post().json['id']}"
    head = client.head(path)
    assert (head.status_code, head.get_data()) == (200, b"")
    assert head.headers["ETag"]
    options = client.options(path)
    assert options.status_code == 200
    assert {"GET", "HEAD", "PUT", "OPTIONS"} <= set(options.headers["Allow"].split(", "))


def test_a_head_of_an_unknown_job_is_not_found(client):
    assert client.head("/v1/jobs/nope").status_code == 404
