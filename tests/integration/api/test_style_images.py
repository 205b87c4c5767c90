"""Styles read from pictures that come along with a job."""

import base64
import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from model_store.registry import Registry
from support.jobs import read_spec
from support.models import add_small_model
from support.problems import assert_problem
from workers.engine import LocalEngine
from workers.inputs import InputLoader, Inputs
from workers.settings import WorkerSettings


def picture(color: str, *, size: tuple[int, int] = (80, 60), file_format: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    fading = Image.linear_gradient("L").resize(size)
    image = Image.composite(Image.new("RGB", size, color), Image.new("RGB", size), fading)
    image.save(buffer, file_format)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def _reader(settings) -> None:
    """The model `reader`, which reads styles from pictures; its weights are drawn."""
    add_small_model(settings.models_dir, "reader")


@pytest.fixture
def post_styled(post):
    def send(image: bytes, **parameters):
        return post(parts={"style_image": (io.BytesIO(image), "dusk.jpg")}, **{"model": "reader", **parameters})

    return send


def test_the_model_says_that_it_reads_styles(client):
    assert client.get("/v1/models/reader").json["reads_styles"] is True
    assert client.get("/v1/models/coco-stuff").json["reads_styles"] is False


def test_pictures_take_the_style_of_the_image_whatever_the_seed(post_styled, services, objects, settings):
    red, blue = picture("red"), picture("blue")
    jobs = [
        post_styled(image, seed=seed, format=file_format).json
        for image, seed, file_format in ((red, 1, "png"), (red, 2, "jpeg"), (blue, 1, "png"))
    ]
    stored = read_spec(objects, jobs[0]["id"]).style
    assert Image.open(io.BytesIO(objects.get(stored.picture_key))).size == (256, 256)
    digest = hashlib.sha256(objects.get(stored.picture_key)).hexdigest()
    assert jobs[0]["style"] == jobs[1]["style"] == {"image_sha256": digest} != jobs[2]["style"]

    registry = Registry(settings.models_dir)
    batch = services.job_store.claim(worker="w", device="cpu", models=["reader"], max_items=3, max_pixels=10**9).batch
    loader = InputLoader(objects, registry, batch)
    maps = np.stack([loader.load(item)[0] for item in batch.items])
    inputs = Inputs(
        batch=batch,
        items=batch.items,
        label_maps=maps,
        instance_maps=maps,
        decode_seconds=0.0,
        style_pictures=loader.style_pictures,
    )
    first, other_seed, other_image = LocalEngine(registry, WorkerSettings(device="cpu")).synthesize(inputs)
    assert (first == other_seed).all()
    assert (first != other_image).any()


def test_identical_items_with_one_style_image_are_computed_once(post_styled, services):
    for _ in range(2):
        post_styled(picture("red"))
    batch = services.job_store.claim(worker="w", device="cpu", models=["reader"], max_items=3, max_pixels=10**9).batch
    assert len(batch.items) == 1


def test_a_bulk_job_takes_the_style_of_an_image(client, label_map, objects, services):
    objects.put("inputs/mine/a.png", label_map)
    image = {"file": "s.jpg", "content": base64.b64encode(picture("red")).decode()}
    body = {"params": {"model": "reader"}, "prefix": "inputs/mine/", "style_image": image}
    answer = client.post("/v1/jobs", data=json.dumps(body), content_type="application/json")
    assert answer.status_code == 202
    services.filler.fill(answer.json["id"])
    batch = services.job_store.claim(worker="w", device="cpu", models=["reader"], max_items=3, max_pixels=10**9).batch
    loader = InputLoader(objects, services.registry, batch)
    loader.load(batch.items[0])
    (style_picture,) = loader.style_pictures.values()
    assert style_picture.shape == (256, 256, 3)


def test_a_style_image_may_come_in_json(client, label_map, objects):
    def file(name: str, data: bytes) -> dict[str, str]:
        return {"file": name, "content": base64.b64encode(data).decode()}

    body = {
        "params": {"model": "reader"},
        "label_maps": [file("a.png", label_map)],
        "style_image": file("s.png", picture("red", file_format="PNG")),
    }
    answer = client.post("/v1/jobs", data=json.dumps(body), content_type="application/json")
    assert answer.status_code == 202
    assert read_spec(objects, answer.json["id"]).style.picture_sha256 == answer.json["style"]["image_sha256"]


@pytest.mark.parametrize(
    ("image", "parameters", "code"),
    [
        (picture("red"), {"model": "coco-stuff"}, "no-encoder"),
        (picture("red"), {"style": "dusk"}, "two-styles"),
        (picture("red"), {"variations": 2}, "one-style"),
        (picture("red")[:200], {}, "style-image-unreadable"),
        (picture("red", file_format="GIF"), {}, "style-image-unreadable"),
        (b"", {}, "style-image-unreadable"),
    ],
)
def test_a_style_image_that_is_of_no_use_is_refused(post_styled, image, parameters, code, nothing_happened):  # noqa: ARG001
    problem = post_styled(image, **parameters)
    assert problem.status_code == 422
    assert problem.json["errors"][0]["code"] == code


def test_label_maps_are_checked_without_a_style(post):
    parts = {"style_image": (io.BytesIO(picture("red")), "s.jpg")}
    problem = assert_problem(post(path="/v1/label-maps/validate", parts=parts), 422, "parameters-refused")
    assert "without a style" in problem["detail"]
