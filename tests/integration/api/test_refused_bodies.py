"""Request bodies that are refused, and that nothing of them is stored or queued."""

import dataclasses
import io
import json

import pytest

from api.json_texts import MAX_JSON_BYTES
from support.problems import assert_problem

pytestmark = pytest.mark.usefixtures("nothing_happened")


@pytest.mark.parametrize("content_type", ["image/png", "text/plain", "application/x-www-form-urlencoded", None])
def test_another_content_type_is_refused(client, label_map, content_type):
    response = client.post("/v1/jobs", data=label_map, content_type=content_type)
    problem = assert_problem(response, 415, "unsupported-content")
    assert "multipart/form-data or application/json" in problem["detail"]


@pytest.mark.parametrize("text", ["", "{", "[1,", "\xff"])
def test_json_that_is_none_is_refused(client, text):
    response = client.post("/v1/jobs", data=text.encode("latin-1"), content_type="application/json")
    assert_problem(response, 400, "malformed-body")


def test_parameters_that_are_no_json_are_refused(client, label_map):
    response = client.post("/v1/jobs", data={"params": "seed=7", "label_map": (io.BytesIO(label_map), "a.png")})
    assert "params is not JSON" in assert_problem(response, 400, "malformed-body")["detail"]


def test_a_request_of_too_many_bytes_is_refused(client):
    response = client.post("/v1/jobs", data=bytes(5 * 2**20), content_type="multipart/form-data; boundary=x")
    problem = assert_problem(response, 413, "request-entity-too-large")
    assert "4 MiB" in problem["detail"]


def test_json_of_too_many_bytes_is_refused(client):
    response = client.post("/v1/jobs", data=b" " * (5 * 2**20), content_type="application/json")
    assert_problem(response, 413, "request-entity-too-large")


def test_a_request_of_too_many_parts_is_refused(post):
    problem = assert_problem(post([], parts={"params": ["{}"] * 49}), 413, "request-entity-too-large")
    assert "48 parts" in problem["detail"]


def test_a_text_part_of_too_many_bytes_is_refused(client):
    body = b'--x\r\nContent-Disposition: form-data; name="params"\r\n\r\n' + b" " * 2**20 + b"{}\r\n--x--\r\n"
    response = client.post("/v1/jobs", data=body, content_type="multipart/form-data; boundary=x")
    assert_problem(response, 413, "request-entity-too-large")


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"label_map_keys": ["inputs/a.png"], "prefix": "inputs/"},
        {"label_maps": [], "prefix": "inputs/"},
    ],
)
def test_json_with_no_source_of_label_maps_or_with_several_is_refused(client, source):
    response = client.post("/v1/jobs", json={"params": {"model": "landscape"}, **source})
    assert "exactly one of" in assert_problem(response, 422, "parameters-refused")["detail"]


@pytest.mark.parametrize(
    "source",
    [
        {"label_map_keys": ["jobs/1/job.json"]},
        {"label_map_keys": ["/inputs/a.png"]},
        {"prefix": "jobs/"},
        {"prefix": ""},
        {"prefix": "inputs/\n"},
        {"label_map_keys": ["inputs/../jobs/1/inputs/0.png"]},
        {"label_map_keys": ["inputs/./a.png"]},
        {"label_map_keys": ["inputs//a.png"]},
        {"label_map_keys": ["inputs/set/"]},
        {"label_map_keys": ["inputs/a.png"], "instance_map_keys": ["inputs/.."]},
        {"prefix": "inputs/../jobs/"},
        {"prefix": "inputs//"},
    ],
)
def test_objects_outside_the_input_folder_are_refused(client, source):
    response = client.post("/v1/jobs", json={"params": {"model": "landscape"}, **source})
    assert_problem(response, 422, "parameters-refused")


def test_a_malformed_prefix_or_key_is_told_how_it_has_to_begin(client):
    for source, example in (
        ({"prefix": "mine/"}, "inputs/mine/"),
        ({"label_map_keys": ["a.png"]}, "inputs/mine/lake.png"),
    ):
        response = client.post("/v1/jobs", json={"params": {"model": "landscape"}, **source})
        fault = assert_problem(response, 422, "parameters-refused")["errors"][0]
        assert fault["detail"] == f"it must begin with inputs/, like {example}, and have no control characters"


def test_objects_that_are_not_there_are_refused_by_name(client):
    keys = ["inputs/set/a.png", "inputs/b.png"]
    response = client.post("/v1/jobs", json={"params": {"model": "landscape"}, "label_map_keys": keys})
    problem = assert_problem(response, 422, "files-refused")
    assert [(error["file"], error["code"]) for error in problem["errors"]] == [
        ("set/a.png", "object-missing"),
        ("b.png", "object-missing"),
    ]


def test_an_empty_prefix_is_refused(client):
    response = client.post("/v1/jobs", json={"params": {"model": "landscape"}, "prefix": "inputs/none/"})
    assert assert_problem(response, 422, "files-refused")["errors"][0]["code"] == "no-label-map"


def test_a_prefix_with_too_many_objects_is_refused_and_told_how_many_would_fit(make_client, services, objects):
    client = make_client(settings=dataclasses.replace(services.settings, max_bulk_items=20))
    for index in range(21):
        objects.put(f"inputs/many/{index}.png", b"")
    response = client.post("/v1/jobs", json={"params": {"model": "landscape"}, "prefix": "inputs/many/"})
    fault = assert_problem(response, 422, "parameters-refused")["errors"][0]
    assert (fault["parameter"], fault["code"]) == ("prefix", "too-many-items")
    assert "20" in fault["detail"]


def test_an_instance_map_without_a_label_map_under_the_prefix_is_refused(client, objects, label_map):
    objects.put("inputs/x/a.png", label_map)
    objects.put("inputs/x/b.instance.png", label_map)
    response = client.post("/v1/jobs", json={"params": {"model": "coco-stuff"}, "prefix": "inputs/x/"})
    problem = assert_problem(response, 422, "files-refused")
    assert problem["errors"][0] | {"detail": ""} == {
        "file": "x/b.instance.png",
        "code": "stray-instance-map",
        "detail": "",
    }


def test_content_that_is_not_base64_is_refused_by_name(client):
    body = {"params": {"model": "landscape"}, "label_maps": [{"file": "a.png", "content": "%%%"}]}
    problem = assert_problem(client.post("/v1/jobs", json=body), 422, "files-refused")
    assert (problem["errors"][0]["file"], problem["errors"][0]["code"]) == ("a.png", "not-base64")


def test_unknown_members_of_json_are_refused_by_name(client):
    body = {"params": {"model": "landscape", "sead": 1}, "label_maps": [], "extra": 1}
    problem = assert_problem(client.post("/v1/jobs", json=body), 422, "parameters-refused")
    assert {error["parameter"] for error in problem["errors"]} == {"params.sead", "extra"}


def test_hundreds_of_faults_are_cut_short(client):
    body = {"params": {"model": "landscape"}, **{f"extra{i}": 1 for i in range(300)}}
    problem = assert_problem(client.post("/v1/jobs", json=body), 422, "parameters-refused")
    assert len(problem["errors"]) == 100
    assert "299 more" in problem["detail"]


def test_a_refused_put_reserves_nothing(post, services):
    assert_problem(post(path="/v1/jobs/mine", method="PUT", seed=-1), 422, "parameters-refused")
    assert_problem(post([b""], path="/v1/jobs/mine", method="PUT"), 422, "files-refused")
    assert services.job_store.reserve("mine", holder="another request", seconds=1)


def test_problems_are_json_that_any_client_reads(post):
    assert json.loads(post([b""]).get_data())["errors"]


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/label-maps/validate"])
@pytest.mark.parametrize(
    "text",
    [
        '{"label_map_keys": [' + "[]," * 50_000 + "[]]}",
        '{"label_maps": [' + "{}," * 50_000 + "{}]}",
        "{" + ",".join(f'"{index}": 1' for index in range(50_000)) + "}",
    ],
)
def test_json_of_very_many_values_is_refused_without_taking_it_apart(client, path, text):
    response = client.post(path, data=text, content_type="application/json")
    (fault,) = assert_problem(response, 422, "parameters-refused")["errors"]
    assert fault["code"] == "too-many-values"
    assert "multipart/form-data" in fault["detail"]


def test_json_with_a_great_many_faults_is_told_their_number(client):
    text = "{" + ",".join(f'"{index}": 1' for index in range(2000)) + "}"
    response = client.post("/v1/jobs", data=text, content_type="application/json")
    (fault,) = assert_problem(response, 422, "parameters-refused")["errors"]
    assert fault["code"] == "too-many-faults"
    assert "2001 things" in fault["detail"]  # params is missing too


def test_a_very_long_name_is_not_repeated_in_full(client):
    response = client.post("/v1/jobs", data='{"' + "a" * 10**6 + '": 1}', content_type="application/json")
    assert len(response.data) < 5000
    assert assert_problem(response, 422, "parameters-refused")["errors"][1]["parameter"] == "a" * 200


def test_json_may_have_less_bytes_than_other_bodies(make_client, services):
    settings = dataclasses.replace(services.settings, max_request_bytes=2**30)
    client = make_client(settings=settings)
    body = b'{"params": "' + b" " * MAX_JSON_BYTES + b'"}'
    response = client.post("/v1/jobs", data=body, content_type="application/json")
    assert "32 MiB" in assert_problem(response, 413, "request-entity-too-large")["detail"]


def test_parameters_as_a_large_file_are_refused(client):
    head = b'--x\r\nContent-Disposition: form-data; name="params"; filename="params.json"\r\n\r\n'
    body = head + b" " * (2**20 + 1) + b"\r\n--x--\r\n"
    response = client.post("/v1/jobs", data=body, content_type="multipart/form-data; boundary=x")
    assert assert_problem(response, 422, "parameters-refused")["errors"][0]["code"] == "too-large"
