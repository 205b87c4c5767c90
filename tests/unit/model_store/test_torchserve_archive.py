"""Archives for TorchServe, and what its backends do with them, without TorchServe."""

import ast
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from model_store.card import ModelCard
from model_store.chosen_style import ChosenStyle
from model_store.errors import WeightsError
from model_store.loading import load_synthesizer
from model_store.registry import WEIGHTS_FILE, Registry
from model_store.torchserve.archive import HANDLER, write_archive
from model_store.torchserve.config import ArchiveConfig, BackendConfig
from model_store.torchserve.served import ServedModel
from model_store.torchserve.spade_serving_handler import SpadeServingHandler
from model_store.torchserve.wire import PictureRequest, decode_error, decode_picture, encode_request
from spade.config import Precision
from spade.errors import ConfigError, OutOfMemoryError, SpadeError
from support.models import add_small_model

CONFIG = ArchiveConfig(batch_items=3, backend=BackendConfig(device="cpu", threads=1))


@pytest.fixture
def small(tmp_path: Path) -> ModelCard:
    return add_small_model(tmp_path / "models", "small")


@pytest.fixture
def models(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


@pytest.fixture
def unpacked(small: ModelCard, models: Registry, tmp_path: Path) -> Path:
    with zipfile.ZipFile(write_archive(models, small, tmp_path, CONFIG)) as archive:
        archive.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"


@pytest.fixture
def served(unpacked: Path) -> ServedModel:
    return ServedModel(unpacked, CONFIG.backend, gpu=None)


def request(**changes: object) -> bytes:
    label_map = np.kron(np.arange(4).reshape(2, 2), np.ones((32, 32), int)).astype(np.int32)
    values: dict[str, object] = {"label_map": label_map, "instance_map": None, "seed": 3}
    return encode_request(PictureRequest(**{**values, **changes}))


def test_an_archive_has_the_model_as_the_registry_has_it_and_is_the_same_each_time(
    small: ModelCard, models: Registry, tmp_path: Path
) -> None:
    first = write_archive(models, small, tmp_path / "a", CONFIG)
    os.utime(models.weights_path(small), (0, 0))
    second = write_archive(models, small, tmp_path / "b", CONFIG)
    assert first.name == "small-1.mar"
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        assert archive.read(f"models/small/1/{WEIGHTS_FILE}") == models.weights_path(small).read_bytes()
        assert archive.read("models/small/1/encoder.safetensors") == models.encoder_path(small).read_bytes()
        assert b"batchSize: 3" in archive.read("model-config.yaml")
        assert b'  device: "cpu"' in archive.read("model-config.yaml")


def test_weights_that_come_from_a_seed_are_not_packed(card: ModelCard, registry: Registry, tmp_path: Path) -> None:
    path = write_archive(registry, card, tmp_path, CONFIG)
    with zipfile.ZipFile(path) as archive:
        assert "models/tiny/1/card.json" in archive.namelist()
        assert f"models/tiny/1/{WEIGHTS_FILE}" not in archive.namelist()
        archive.extractall(tmp_path / "unpacked")
    served = ServedModel(tmp_path / "unpacked", CONFIG.backend, gpu=None)
    body = encode_request(PictureRequest(label_map=np.zeros((32, 64), np.int32), instance_map=None, seed=0))
    assert served.answer([body])[0].status == 200


def test_damaged_weights_are_not_packed_and_leave_the_archive_before_as_it_was(
    small: ModelCard, models: Registry, tmp_path: Path
) -> None:
    before = write_archive(models, small, tmp_path, CONFIG).read_bytes()
    models.weights_path(small).write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"small@1: .* has sha256"):
        write_archive(models, small, tmp_path, CONFIG)
    assert [path.read_bytes() for path in tmp_path.glob("*.mar")] == [before]


def test_the_handlers_file_defines_one_class_as_torchserve_wants() -> None:
    defined = [node for node in ast.walk(ast.parse(HANDLER.read_text())) if isinstance(node, ast.ClassDef)]
    assert [node.name for node in defined] == [SpadeServingHandler.__name__]


def test_a_job_for_other_weights_than_torchserve_has_is_refused_and_takes_no_other_with_it(
    served: ServedModel, small: ModelCard
) -> None:
    answers = served.answer([request(weights_sha256=digest) for digest in (small.weights.sha256, "0" * 64)])
    assert [answer.status for answer in answers] == [200, 500]
    kind, detail = decode_error(answers[1].body) or (None, "")
    assert kind is SpadeError
    assert f"small@1 with weights of sha256 {small.weights.sha256}, the job is for {'0' * 64}" in detail


def test_a_batch_of_different_sizes_is_answered_in_its_order(
    card: ModelCard, registry: Registry, tmp_path: Path
) -> None:
    with zipfile.ZipFile(write_archive(registry, card, tmp_path, CONFIG)) as archive:
        archive.extractall(tmp_path / "unpacked")
    maps = [np.kron(np.arange(2), np.ones((side, side), int)).astype(np.int32) for side in (32, 64, 32)]
    maps[2] = 1 - maps[2]
    bodies = [encode_request(PictureRequest(label_map=one, instance_map=None, seed=0)) for one in maps]
    answers = ServedModel(tmp_path / "unpacked", CONFIG.backend, gpu=None).answer(bodies)
    assert [answer.status for answer in answers] == [200] * 3
    synthesizer = load_synthesizer(registry, card, device="cpu")
    for one, answer in zip(maps, answers, strict=True):
        (expected,) = synthesizer.synthesize(one[None], one[None], [0])
        assert np.abs(decode_picture(answer.body, *one.shape).astype(int) - expected).max() <= 1


def test_a_request_without_a_good_style_or_map_is_refused_alone(served: ServedModel) -> None:
    unknown = np.full((64, 64), 77, np.int32)
    bodies = [request(), request(style=ChosenStyle(first="dusk")), request(label_map=unknown), "text"]
    answers = served.answer(bodies)
    assert [answer.status for answer in answers] == [200, 422, 422, 422]
    assert "no style 'dusk'" in (decode_error(answers[1].body) or ("", ""))[1]


def test_a_batch_that_is_too_large_is_refused_whole(served: ServedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OutOfMemoryError("no room")

    monkeypatch.setattr(served, "_pictures", refuse)
    answers = served.answer([request(), request()])
    assert [answer.status for answer in answers] == [507, 507]


def test_an_error_that_nobody_foresaw_does_not_look_like_an_overload(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choke(*_: object) -> None:
        raise RuntimeError("cannot digest this")

    monkeypatch.setattr(served, "_pictures", choke)
    (answer,) = served.answer([request()])
    assert answer.status == 500
    assert decode_error(answer.body) == (None, "RuntimeError: cannot digest this")


def test_a_backends_settings_survive_their_file() -> None:
    config = BackendConfig(device="cuda", threads=3, precision=Precision.BFLOAT16, compile=True, cache_bytes=0)
    assert BackendConfig.from_values(config.to_values()) == config


@pytest.mark.parametrize("values", [{}, {"precision": "fp8"}, {"precision": "float32", "colour": "red"}])
def test_settings_that_are_none_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="its section handler cannot be used"):
        BackendConfig.from_values(values)


def test_a_batch_of_no_pictures_is_refused() -> None:
    with pytest.raises(ConfigError, match="batch_items is 0; it must be 1 or more"):
        ArchiveConfig(batch_items=0)
