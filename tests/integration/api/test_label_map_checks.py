"""The dry run for label maps."""

import base64
import io
import threading
from functools import partial

import numpy as np
import pytest

from spade.label_images import encode_ids_png
from support.problems import assert_problem

pytestmark = pytest.mark.usefixtures("nothing_happened")


@pytest.fixture
def check(post):
    return partial(post, path="/v1/label-maps/validate")


def test_a_good_map_is_described(check, client, label_map):
    response = check([("a.png", label_map)])
    assert response.status_code == 200
    report = response.json
    assert report["valid"] is True
    assert report["model"]["name"] == "landscape"
    assert report["picture_size"] == {"width": 256, "height": 256}
    (described,) = report["label_maps"]
    names = {item["id"]: item["name"] for item in client.get("/v1/models/landscape").json["classes"]}
    assert described == {
        "file": "a.png",
        "valid": True,
        "size": {"width": 4, "height": 4},
        "classes": [{"id": i, "name": names[i], "pixels": 3, "share": 0.1875} for i in range(4)]
        + [{"id": 13, "name": "unknown", "pixels": 4, "share": 0.25}],
        "errors": [],
    }


def test_a_bad_map_is_a_result_rather_than_an_error(check, label_map):
    ids = np.zeros((6, 6), dtype=np.uint8)
    ids[1, 2:5] = 99
    response = check([("good.png", label_map), ("bad.png", encode_ids_png(ids)), ("empty.png", b"")])
    assert response.status_code == 200
    report = response.json
    assert report["valid"] is False
    good, bad, empty = report["label_maps"]
    assert good["valid"]
    assert not bad["valid"]
    assert bad["errors"][0]["code"] == "ids-out-of-range"
    assert bad["errors"][0]["offenders"] == [{"value": 99, "count": 3, "box": [2, 1, 5, 2]}]
    assert "size" not in bad
    assert empty["errors"][0]["code"] == "empty"


def test_instance_maps_are_checked_along(check, label_map):
    instances = {"instance_map": [(io.BytesIO(encode_ids_png(np.arange(16).reshape(4, 4))), "i.png")]}
    report = check([("a.png", label_map)], parts=instances, model="coco-stuff").json
    assert report["label_maps"][0]["instances"] == 16


def test_maps_may_be_sent_as_json(client, label_map):
    body = {
        "params": {"model": "landscape", "size": "256x256"},
        "label_maps": [{"file": "a.png", "content": base64.b64encode(label_map).decode()}],
    }
    assert client.post("/v1/label-maps/validate", json=body).json["valid"] is True


def test_parameters_of_jobs_that_have_nothing_to_do_with_maps_are_refused(check, label_map):
    response = check([("a.png", label_map)], seed=1)
    assert response.status_code == 422
    assert response.json["errors"][0]["parameter"] == "seed"


@pytest.mark.parametrize("parameters", [{"model": "nope"}, {"size": "1x1"}, {"palette": "crayon"}])
def test_parameters_that_no_job_could_have_are_refused(check, label_map, parameters):
    assert check([("a.png", label_map)], **parameters).status_code == 422


def test_a_check_without_maps_is_refused(check):
    assert check([]).status_code == 422


def test_another_content_type_is_refused(client):
    assert client.post("/v1/label-maps/validate", data=b"x", content_type="image/png").status_code == 415


def test_maps_are_unpacked_one_at_a_time(make_client, label_map):
    class Turns:
        taken = 0
        free = threading.Lock()

        def __enter__(self):
            assert self.free.acquire(blocking=False)
            self.taken += 1

        def __exit__(self, *_):
            self.free.release()

    turns = Turns()
    parts = ("label_map", "instance_map")
    files = {part: [(io.BytesIO(label_map), f"{part}{i}.png") for i in (0, 1)] for part in parts}
    client = make_client(decoding_turns=turns)
    answer = client.post("/v1/label-maps/validate", data={"params": '{"model": "coco-stuff"}', **files})
    assert answer.json["valid"]
    assert turns.taken == 4


def test_maps_that_cannot_be_used_count_against_the_pixels_of_a_request_too(check, monkeypatch):
    monkeypatch.setattr("api.decoding.MAX_REQUEST_PIXELS", 40)
    wrong = encode_ids_png(np.full((4, 4), 200, dtype=np.uint8))
    assert not check([wrong] * 2).json["valid"]
    problem = assert_problem(check([wrong] * 3), 422, "files-refused")
    assert problem["errors"][0]["code"] == "too-many-pixels"
