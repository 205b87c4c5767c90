"""Pictures by TorchServe beside those of the engine in this process."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from model_store.card import ModelCard
from model_store.torchserve.wire import BATCH_HEADER, PictureRequest, decode_picture, encode_request
from spade.errors import ConfigError
from support.engine_inputs import inputs_of, label_maps
from workers.engine import LocalEngine
from workers.inputs import Inputs
from workers.styles import Style
from workers.torchserve_engine import TorchServeEngine

Predict = Callable[[ModelCard, bytes], httpx.Response]


def assert_same_pictures(engine: TorchServeEngine, local: LocalEngine, inputs: Inputs) -> NDArray[np.uint8]:
    found, expected = engine.synthesize(inputs), local.synthesize(inputs)
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1
    return found


def test_a_batch_has_the_pictures_of_the_local_engine(
    engine: TorchServeEngine, local: LocalEngine, landscape: ModelCard
) -> None:
    pictures = assert_same_pictures(engine, local, inputs_of(landscape, label_maps(landscape, 8)))
    assert len({picture.tobytes() for picture in pictures}) == 8


def test_presets_and_blends_make_the_same_pictures(
    engine: TorchServeEngine, local: LocalEngine, landscape: ModelCard
) -> None:
    styles = [
        Style(first="day"),
        Style(first="night"),
        Style(first="day", second="night", weight=0.5),
        None,
    ]
    one_map = np.repeat(label_maps(landscape, 1), len(styles), axis=0)
    pictures = assert_same_pictures(engine, local, inputs_of(landscape, one_map, styles=styles))
    assert len({picture.tobytes() for picture in pictures}) == 4


def test_the_style_of_a_picture_makes_the_same_pictures(
    engine: TorchServeEngine, local: LocalEngine, landscape: ModelCard
) -> None:
    fade = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 256, 3))
    pictures = {"jobs/a/style.png": fade, "jobs/b/style.png": 255 - fade}
    styles = [Style(picture_key=key, picture_sha256="0" * 64) for key in pictures]
    one_map = np.repeat(label_maps(landscape, 1), 2, axis=0)
    inputs = inputs_of(landscape, one_map, styles=styles, style_pictures=pictures)
    first, second = assert_same_pictures(engine, local, inputs)
    assert (first != second).any()


def test_instance_maps_make_the_same_pictures(
    engine: TorchServeEngine, local: LocalEngine, reader_card: ModelCard
) -> None:
    maps = label_maps(reader_card, 2)
    instances = np.zeros_like(maps)
    instances[0, :, 20:] = 1
    with_instances = assert_same_pictures(engine, local, inputs_of(reader_card, maps, instance_maps=instances))
    without = assert_same_pictures(engine, local, inputs_of(reader_card, maps))
    assert (with_instances[0] != without[0]).any()


def test_eight_requests_at_once_are_one_batch(predict: Predict, local: LocalEngine, landscape: ModelCard) -> None:
    maps = label_maps(landscape, 8, seed=5)
    bodies = [
        encode_request(PictureRequest(label_map=one, instance_map=None, seed=seed)) for seed, one in enumerate(maps)
    ]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda body: predict(landscape, body), bodies))
    assert [answer.headers[BATCH_HEADER] for answer in answers] == ["8"] * 8
    expected = local.synthesize(inputs_of(landscape, maps))
    for answer, picture in zip(answers, expected, strict=True):
        found = decode_picture(answer.content, landscape.height, landscape.width)
        assert np.abs(found.astype(int) - picture).max() <= 1


def test_a_request_that_cannot_be_met_takes_none_of_its_batch_with_it(predict: Predict, landscape: ModelCard) -> None:
    maps = label_maps(landscape, 3)
    maps[1, 7, 7] = 99
    bodies = [encode_request(PictureRequest(label_map=one, instance_map=None, seed=0)) for one in maps]
    bodies[2] = b"no request"
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda body: predict(landscape, body), bodies))
    assert [answer.headers[BATCH_HEADER] for answer in answers] == ["3"] * 3
    assert [answer.status_code for answer in answers] == [200, 422, 422]
    assert "99" in answers[1].json()["detail"]
    assert "does not begin as requests" in answers[2].json()["detail"]


def test_an_input_that_does_not_fit_the_model_is_the_same_error_as_of_the_local_engine(
    engine: TorchServeEngine, local: LocalEngine, landscape: ModelCard
) -> None:
    maps = label_maps(landscape, 1)
    maps[0, 0, 0] = 99
    inputs = inputs_of(landscape, maps)
    told = []
    for one in (engine, local):
        with pytest.raises(ConfigError) as raised:
            one.synthesize(inputs)
        told.append(str(raised.value))
    assert told[0] == told[1]


def test_a_style_that_the_model_does_not_have_is_refused_with_those_that_it_has(
    engine: TorchServeEngine, landscape: ModelCard
) -> None:
    inputs = inputs_of(landscape, label_maps(landscape, 1), styles=[Style(first="dusk")])
    with pytest.raises(ConfigError, match="has no style 'dusk'; it has: day, sunset"):
        engine.synthesize(inputs)
