"""What a submitted job becomes: objects in the store, a record in the queue, an answer."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from api.parameters import MAX_SEED
from spade.label_images import encode_ids_png
from support.jobs import read_spec
from workers.messages import Priority


def read_ids(objects, key):
    with Image.open(io.BytesIO(objects.get(key))) as image:
        return np.asarray(image)


def encoded(name, content):
    return {"file": name, "content": base64.b64encode(content).decode()}


def test_a_job_is_accepted_with_its_location(post):
    response = post()
    assert response.status_code == 202
    job = response.json
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    path = f"/v1/jobs/{job['id']}"
    assert job["links"] == {
        "self": path,
        "cancel": f"{path}/cancel",
        "events": f"{path}/events",
        "archive": f"{path}/archive",
    }
    assert job["state"] == "queued"
    assert job["counts"] == {
        "total": 1, "queued": 1, "running": 0, "succeeded": 0, "failed": 0, "canceled": 0, "expired": 0
    }  # fmt: skip
    assert job["model"]["name"] == "landscape"
    assert job["size"] == {"width": 256, "height": 256}
    assert job["queue"]["position"] == 0
    assert job["created_at"].endswith("Z")
    assert job["items"][0] | {"seed": None} == {
        "index": 0, "file": "0.png", "seed": None, "state": "queued", "attempts": 0, "reason": None, "detail": None,
        "timings": {}, "image": None,
    }  # fmt: skip


def test_a_job_names_its_model_and_the_weights_as_the_models_card_does(client, post):
    card = client.get("/v1/models/landscape").json
    assert post().json["model"] == {name: card[name] for name in ("name", "version", "weights_sha256")}


def test_ids_of_jobs_sort_by_time(post):
    ids = [post().json["id"] for _ in range(3)]
    assert ids == sorted(ids)


def test_label_maps_are_stored_resized_with_unknown_as_the_models_id(post, objects):
    job_id = post().json["id"]
    stored = read_ids(objects, f"jobs/{job_id}/inputs/0.png")
    assert stored.shape == (256, 256)
    np.testing.assert_array_equal(stored[0, ::64], [0, 1, 2, 3])
    np.testing.assert_array_equal(stored[255], 13)


def test_the_description_is_stored_beside_the_inputs(post, objects):
    response = post(
        seed=7, variations=2, format="webp", quality=80, priority="bulk", deadline_seconds=60, labels={"scene": "a b"}
    )
    spec = read_spec(objects, response.json["id"])
    assert (spec.owner, spec.model, spec.model_version) == ("local", "landscape", "1")
    assert [item.seed for item in spec.items] == [7, 8]
    assert {item.label_map_key for item in spec.items} == {f"jobs/{spec.id}/inputs/0.png"}
    assert (spec.picture_format, spec.picture_quality, spec.priority) == ("webp", 80, Priority.BULK)
    assert (spec.deadline_seconds, spec.labels) == (60, {"scene": "a b"})
    assert response.json["deadline_at"] > response.json["created_at"]
    assert response.json["labels"] == {"scene": "a b"}
    assert sorted(objects.keys("jobs/")) == [f"jobs/{spec.id}/inputs/0.png", f"jobs/{spec.id}/job.json"]


def test_variations_come_map_by_map_with_rising_seeds(post, label_map):
    response = post([("a.png", label_map), ("b.png", label_map)], seed=MAX_SEED - 2, variations=3)
    job = response.json
    assert job["seed"] == MAX_SEED - 2
    assert [(item["file"], item["seed"]) for item in job["items"]] == [
        (name, MAX_SEED - 2 + step) for name in ("a.png", "b.png") for step in range(3)
    ]


def test_a_seed_is_drawn_and_told_when_none_is_given(post):
    seeds = {post().json["seed"] for _ in range(4)}
    assert len(seeds) == 4
    assert all(0 <= seed <= MAX_SEED for seed in seeds)


@pytest.mark.parametrize("size", ["384x128", {"width": 384, "height": 128}])
def test_a_model_without_latent_makes_pictures_of_other_sizes(post, objects, size):
    response = post(model="coco-stuff", size=size)
    assert response.status_code == 202
    assert response.json["size"] == {"width": 384, "height": 128}
    assert read_ids(objects, f"jobs/{response.json['id']}/inputs/0.png").shape == (128, 384)


def test_a_version_may_be_named(post):
    assert post(model="landscape@1").json["model"]["version"] == "1"


def test_instance_maps_are_matched_by_order(post, objects, label_map):
    maps = [np.full((4, 4), value, dtype=np.int32) for value in (9, 300)]
    instances = [(io.BytesIO(encode_ids_png(ids)), f"{i}.png") for i, ids in enumerate(maps)]
    job_id = post([label_map, label_map], model="coco-stuff", parts={"instance_map": instances}).json["id"]
    keys = [item.instance_map_key for item in read_spec(objects, job_id).items]
    assert [int(read_ids(objects, key)[0, 0]) for key in keys] == [9, 300]


def test_the_parameters_may_be_a_file_part(client, label_map):
    data = {"label_map": (io.BytesIO(label_map), "a.png"), "params": (io.BytesIO(b'{"model": "landscape"}'), "p.json")}
    assert client.post("/v1/jobs", data=data).status_code == 202


def test_file_names_lose_folders_and_control_characters(post, label_map):
    response = post([("../../etc/a\tb.png", label_map), ("é" * 300, label_map)])
    assert [item["file"] for item in response.json["items"]] == ["ab.png", "é" * 200]


def test_rgb_in_a_named_palette_is_read(post, objects):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "#9ceedd").save(buffer, "PNG")
    job_id = post([buffer.getvalue()], palette="gaugan").json["id"]
    sky = read_ids(objects, f"jobs/{job_id}/inputs/0.png")[0, 0]
    assert sky == read_ids(objects, f"jobs/{post([buffer.getvalue()], palette='model').json['id']}/inputs/0.png")[0, 0]


def test_rgb_in_the_colours_of_a_csv_is_read(post, objects):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "#010203").save(buffer, "PNG")
    palette = (io.BytesIO(b"color,name\n#010203,unknown\n"), "own.csv")
    job_id = post([buffer.getvalue()], parts={"palette": palette}).json["id"]
    assert read_ids(objects, f"jobs/{job_id}/inputs/0.png")[0, 0] == 13


def test_label_maps_may_be_base64_in_json(client, objects, label_map):
    body = {
        "params": {"model": "coco-stuff"},
        "label_maps": [encoded("a.png", label_map)],
        "instance_maps": [encoded("a-instances.png", encode_ids_png(np.full((4, 4), 5)))],
    }
    response = client.post("/v1/jobs", json=body)
    assert response.status_code == 202
    spec = read_spec(objects, response.json["id"])
    assert spec.items[0].file == "a.png"
    assert read_ids(objects, spec.items[0].instance_map_key)[0, 0] == 5


def test_label_maps_may_be_objects_of_the_bucket(client, objects, label_map):
    objects.put("inputs/set/a.png", label_map)
    objects.put("inputs/set/b.png", encode_ids_png(np.full((4, 4), 9)))
    keys = ["inputs/set/b.png", "inputs/set/a.png"]
    response = client.post("/v1/jobs", json={"params": {"model": "landscape"}, "label_map_keys": keys})
    assert [item["file"] for item in response.json["items"]] == ["set/b.png", "set/a.png"]
    job_id = response.json["id"]
    assert read_ids(objects, f"jobs/{job_id}/inputs/0.png")[0, 0] == 9


def test_a_palette_may_be_text_in_json(client, objects):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "#010203").save(buffer, "PNG")
    body = {
        "params": {"model": "landscape"},
        "label_maps": [encoded("a.png", buffer.getvalue())],
        "palette_csv": "r,g,b,id\n1,2,3,4\n",
    }
    job_id = client.post("/v1/jobs", json=body).json["id"]
    assert read_ids(objects, f"jobs/{job_id}/inputs/0.png")[0, 0] == 4


def test_prefer_wait_answers_with_the_finished_job(make_client, work):
    class WorksAtOnce:
        def send(self, model):
            work(model=model)

    client = make_client(wake_up=WorksAtOnce())
    data = {"params": '{"model": "landscape"}', "label_map": (io.BytesIO(encode_ids_png(np.zeros((4, 4), int))), "a")}
    response = client.post("/v1/jobs", data=data, headers={"Prefer": "respond-async, wait=30"})
    assert response.status_code == 200
    assert response.headers["Preference-Applied"] == "wait=30"
    assert response.json["state"] == "succeeded"


@pytest.mark.parametrize("prefer", ["wait=0", "wait=soon", "wait", "respond-async", "wait=-1"])
def test_other_preferences_answer_at_once(post, prefer):
    response = post(headers={"Prefer": prefer})
    assert response.status_code == 202
    assert "Preference-Applied" not in response.headers


def test_a_wait_that_is_not_met_answers_as_queued(post):
    assert post(headers={"Prefer": "wait=1"}).status_code == 202
