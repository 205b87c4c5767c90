"""A model whose own size is larger than a client may ask for, and label maps and jobs of such sizes."""

import dataclasses

import numpy as np
import pytest

from model_store.registry import Registry
from model_store.versions import version_folder, write_card
from spade.label_images import encode_ids_png
from support.jobs import job_spec
from support.problems import assert_problem


@pytest.fixture(autouse=True)
def _large_models(settings):
    card = Registry(None).resolve("coco-stuff")
    for name, height, width in (("wide", 64, 8192), ("large", 4096, 2048)):
        generator = dataclasses.replace(card.generator, height=height, width=width)
        large = dataclasses.replace(card, name=name, generator=generator)
        write_card(version_folder(settings.models_dir, large), large)


def test_it_is_listed_with_its_size(client):
    sizes = {model["name"]: model["size"] for model in client.get("/v1/models").json["models"]}
    assert (sizes["wide"], sizes["large"]) == ({"width": 8192, "height": 64}, {"width": 2048, "height": 4096})


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/label-maps/validate"])
@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("wide", "8192x64 has a side of more than 4096 pixels; it is the model's own size: ask for a smaller one"),
        ("large", "2048x4096 has more than 4194304 pixels; it is the model's own size: ask for a smaller one"),
    ],
)
def test_its_own_size_is_refused_and_a_smaller_one_taken(post, path, model, told):
    (fault,) = assert_problem(post(path=path, model=model), 422, "parameters-refused")["errors"]
    assert (fault["parameter"], fault["code"], fault["detail"]) == ("size", "too-large", told)
    assert post(path=path, model=model, size="64x64").status_code in (200, 202)


def test_a_job_that_was_accepted_with_it_is_shown(client, services):
    services.job_store.submit(job_spec("a", owner="local", model="wide", width=8192, height=64))
    for path in ("/v1/jobs/a", "/v1/jobs"):
        assert '"width":8192' in client.get(path).get_data(as_text=True).replace(" ", "")
    assert client.post("/v1/jobs/a/cancel").status_code == 200
    assert client.get("/v1/jobs/a/archive").status_code == 200


def test_a_long_label_map_is_described(post):
    report = post([encode_ids_png(np.zeros((1, 5000), np.uint8))], path="/v1/label-maps/validate").json
    assert report["label_maps"][0]["size"] == {"width": 5000, "height": 1}
