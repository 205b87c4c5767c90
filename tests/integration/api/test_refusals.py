"""Files and parameters that are refused, and that nothing of them is stored or queued."""

import io

import numpy as np
import pytest

from spade.label_images import encode_ids_png
from support.problems import assert_problem

pytestmark = pytest.mark.usefixtures("nothing_happened")


# Files


def test_a_label_map_with_unknown_ids_is_refused_with_file_ids_counts_and_boxes(post, label_map):
    ids = np.zeros((8, 8), dtype=np.uint8)
    ids[2:4, 1:6] = 77
    response = post([("good.png", label_map), ("bad.png", encode_ids_png(ids))])
    problem = assert_problem(response, 422, "files-refused")
    assert "bad.png" in problem["detail"]
    (error,) = problem["errors"]
    assert (error["file"], error["code"]) == ("bad.png", "ids-out-of-range")
    assert "0..12" in error["detail"]
    assert error["offenders"] == [{"value": 77, "count": 10, "box": [1, 2, 6, 4]}]


def test_the_faults_of_all_files_are_listed(post, label_map):
    response = post([("a.png", b""), ("b.png", label_map), ("c.png", b"\xff\xd8\xff"), ("d.png", label_map[:40])])
    problem = assert_problem(response, 422, "files-refused")
    assert [(error["file"], error["code"]) for error in problem["errors"]] == [
        ("a.png", "empty"),
        ("c.png", "unsupported-format"),
        ("d.png", "truncated"),
    ]


def test_a_job_without_label_maps_is_refused(post):
    problem = assert_problem(post([]), 422, "files-refused")
    assert problem["errors"][0]["code"] == "no-label-map"


def test_more_label_maps_than_one_job_may_have_are_refused(post, label_map):
    problem = assert_problem(post([label_map] * 21), 422, "files-refused")
    assert "more than 20 label maps" in problem["detail"]


def test_more_pictures_than_one_job_may_have_are_refused(post, label_map):
    problem = assert_problem(post([label_map] * 3, variations=7), 422, "parameters-refused")
    assert "21 pictures" in problem["detail"]


def test_label_maps_with_too_many_pixels_in_all_are_refused(post, label_map, monkeypatch):
    monkeypatch.setattr("api.decoding.MAX_REQUEST_PIXELS", 40)
    problem = assert_problem(post([label_map] * 3), 422, "files-refused")
    assert (problem["errors"][0]["file"], problem["errors"][0]["code"]) == ("2.png", "too-many-pixels")


def test_pictures_with_too_many_pixels_in_all_are_refused(post, label_map, monkeypatch):
    monkeypatch.setattr("api.preparation.MAX_REQUEST_PIXELS", 2 * 256 * 256)
    problem = assert_problem(post([label_map] * 3), 422, "parameters-refused")
    assert problem["errors"][0]["code"] == "too-many-pixels"


def test_instance_maps_of_another_number_are_refused(post, label_map):
    parts = {"instance_map": [(io.BytesIO(label_map), "i.png")]}
    problem = assert_problem(post([label_map] * 2, model="coco-stuff", parts=parts), 422, "files-refused")
    assert problem["errors"][0]["code"] == "instance-map-count"


def test_an_instance_map_of_another_size_is_refused(post, label_map):
    parts = {"instance_map": [(io.BytesIO(encode_ids_png(np.zeros((2, 3), int))), "i.png")]}
    problem = assert_problem(post([label_map], model="coco-stuff", parts=parts), 422, "files-refused")
    assert problem["errors"][0]["code"] == "size-mismatch"
    assert "3x2 pixels, its label map 4x4" in problem["detail"]


def test_an_instance_map_that_cannot_be_read_is_refused(post, label_map):
    parts = {"instance_map": [(io.BytesIO(b""), "i.png")]}
    problem = assert_problem(post([label_map], model="coco-stuff", parts=parts), 422, "files-refused")
    assert (problem["errors"][0]["file"], problem["errors"][0]["code"]) == ("i.png", "empty")


def test_an_instance_map_for_a_model_that_uses_none_is_refused(post, label_map):
    parts = {"instance_map": [(io.BytesIO(label_map), "i.png")]}
    problem = assert_problem(post([label_map], parts=parts), 422, "files-refused")
    assert problem["errors"][0]["code"] == "instance-map-unused"


def test_a_palette_that_cannot_be_read_is_refused(post):
    parts = {"palette": (io.BytesIO(b"color,name\n#000000,lava\n"), "own.csv")}
    problem = assert_problem(post(parts=parts), 422, "files-refused")
    assert (problem["errors"][0]["file"], problem["errors"][0]["code"]) == ("own.csv", "palette-unreadable")
    assert "line 2" in problem["detail"]


# Parameters


@pytest.mark.parametrize(
    ("parameters", "name", "words"),
    [
        ({"sead": 1}, "sead", "there are: model, palette, size, seed"),
        ({"model": "nope"}, "model", "coco-stuff, landscape, street"),
        ({"model": "landscape@7"}, "model", "it has: 1"),
        ({"model": 5}, "model", "string"),
        ({"seed": -1}, "seed", "greater than or equal to 0"),
        ({"seed": 2**53}, "seed", "less than or equal"),
        ({"seed": "7"}, "seed", "integer"),
        ({"seed": True}, "seed", "integer"),
        ({"seed": 2**53 - 1, "variations": 2}, None, "seed + variations"),
        ({"variations": 0}, "variations", "greater than or equal to 1"),
        ({"variations": 65}, "variations", "less than or equal to 64"),
        ({"style": "noir"}, "style", "has no style 'noir'; it has: day, sunset"),
        ({"size": "300x300"}, "size", "256x256"),
        ({"size": "big"}, "size", "WIDTHxHEIGHT"),
        ({"size": {"width": 256}}, "size.height", "required"),
        ({"size": "4096x4096", "model": "coco-stuff"}, "size", "4194304"),
        ({"size": "257x256", "model": "coco-stuff"}, "size", "multiple"),
        ({"format": "gif"}, "format", "'png', 'jpeg' or 'webp'"),
        ({"quality": 101}, "quality", "less than or equal to 100"),
        ({"priority": "now"}, "priority", "'interactive', 'normal' or 'bulk'"),
        ({"deadline_seconds": 0}, "deadline_seconds", "greater than 0"),
        ({"labels": {"a b": "c"}}, "labels.a b", "pattern"),
        ({"labels": {"a": "c" * 256}}, "labels.a", "255"),
        ({"labels": {str(i): "" for i in range(17)}}, "labels", "16"),
        ({"palette": "crayon"}, "palette", "model, gaugan"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused_by_name(post, parameters, name, words):
    problem = assert_problem(post(**parameters), 422, "parameters-refused")
    assert problem["errors"][0].get("parameter") == name
    assert words in problem["errors"][0]["detail"]


def test_the_faults_of_all_parameters_are_listed(post):
    problem = assert_problem(post(seed=-1, format="gif"), 422, "parameters-refused")
    assert {error["parameter"] for error in problem["errors"]} == {"seed", "format"}


def test_a_missing_model_is_refused_by_name(client, label_map):
    response = client.post("/v1/jobs", data={"params": "{}", "label_map": (io.BytesIO(label_map), "a.png")})
    problem = assert_problem(response, 422, "parameters-refused")
    assert problem["errors"][0]["parameter"] == "model"


def test_missing_and_doubled_parameters_are_refused(client, label_map):
    for texts in ([], ['{"model": "landscape"}'] * 2):
        data = {"params": texts, "label_map": (io.BytesIO(label_map), "a.png")}
        problem = assert_problem(client.post("/v1/jobs", data=data), 422, "parameters-refused")
        assert problem["errors"][0]["parameter"] == "params"


def test_an_unknown_part_is_refused_by_name(post, label_map):
    for part in ({"labelmap": (io.BytesIO(label_map), "a.png")}, {"seed": "7"}):
        problem = assert_problem(post(parts=part), 422, "parameters-refused")
        assert problem["errors"][0] | {"detail": ""} == {
            "parameter": next(iter(part)),
            "code": "unknown-part",
            "detail": "",
        }


def test_a_label_map_sent_as_text_is_refused(post):
    problem = assert_problem(post([], parts={"label_map": "text"}), 422, "parameters-refused")
    assert "as a file" in problem["detail"]


def test_a_named_palette_beside_a_csv_is_refused(post):
    parts = {"palette": (io.BytesIO(b"color,id\n#000000,1\n"), "own.csv")}
    problem = assert_problem(post(parts=parts, palette="gaugan"), 422, "parameters-refused")
    assert problem["errors"][0]["code"] == "two-palettes"


def test_two_csv_palettes_are_refused(post):
    palettes = [(io.BytesIO(b"color,id\n#000000,1\n"), name) for name in ("a.csv", "b.csv")]
    assert_problem(post(parts={"palette": palettes}), 422, "parameters-refused")
