"""Request bodies that are refused, and that nothing of them is stored or queued."""

import dataclasses
import io
import json

import pytest

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
