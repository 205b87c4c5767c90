"""Styles of jobs: presets of the model's card and blends of two."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from model_store.registry import Registry
from support.jobs import read_spec
from support.problems import assert_problem
from workers.engine import LocalEngine
from workers.inputs import Inputs
from workers.settings import WorkerSettings
from workers.styles import Style

BLEND = {"blend": ["day", "sunset"], "weight": 0.3}


@pytest.mark.parametrize(
    ("style", "stored"),
    [("day", Style(first="day")), (BLEND, Style(first="day", second="sunset", weight=0.3))],
)
def test_a_style_is_kept_with_the_job_and_told_as_it_was_given(post, objects, style, stored):
    job = post(style=style).json
    assert job["style"] == style
    assert read_spec(objects, job["id"]).style == stored


@pytest.mark.parametrize(
    "style",
    [
        "noir",
        {"blend": ["day", "noir"], "weight": 0.5},
        {"blend": ["day"], "weight": 0.5},
        {"blend": ["day", "sunset"], "weight": 1.5},
        {"blend": ["day", "sunset"]},
    ],
)
def test_a_style_that_there_is_none_of_is_refused(post, style, nothing_happened):  # noqa: ARG001
    assert_problem(post(style=style), 422, "parameters-refused")


def test_variations_of_a_style_are_refused_since_all_would_be_equal(post):
    assert (
        "all variations would be equal"
        in assert_problem(post(style="day", variations=2), 422, "parameters-refused")["errors"][0]["detail"]
    )


def test_the_worker_makes_the_picture_of_the_style_whatever_the_seed(post, services, models_dir):
    styled = {"style": "day"}
    # Another format, since the seed is none of a style's concern: identical items are computed once.
    for parameters in (styled, {**styled, "seed": 9, "format": "jpeg"}, {"style": BLEND}, {}):
        post(**{"seed": 1, **parameters})
    batch = services.job_store.claim(
        worker="w", device="cpu", models=["landscape"], max_items=4, max_pixels=10**9
    ).batch
    label_maps = np.zeros((4, 256, 256), np.int32)
    inputs = Inputs(batch=batch, items=batch.items, label_maps=label_maps, instance_maps=label_maps, decode_seconds=0.0)
    engine = LocalEngine(Registry(models_dir), WorkerSettings(device="cpu"))
    first, other_seed, blended, of_seed = engine.synthesize(inputs)
    assert (first == other_seed).all()
    assert (first != of_seed).any()
    assert (first != blended).any()


def test_a_model_shows_its_styles(client):
    model = client.get("/v1/models/landscape").json
    assert list(model["style_thumbnails"]) == model["styles"]
    with Image.open(io.BytesIO(base64.b64decode(model["style_thumbnails"]["sunset"]))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (96, 96))
    assert client.get("/v1/models/coco-stuff").json["style_thumbnails"] == {}
