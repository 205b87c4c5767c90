import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from model_store.card import ModelCard
from model_store.drawing import draw_weights
from model_store.errors import CardError, WeightsError
from model_store.loading import ensure_weights, load_synthesizer
from model_store.registry import Registry
from spade.checkpoint import build_generator, save_tensors
from spade.config import GeneratorConfig
from spade.errors import DeviceError
from spade.synthesis import Synthesizer

LOAD = """
import sys, pathlib, model_store.loading, model_store.registry
registry = model_store.registry.Registry(pathlib.Path(sys.argv[1]))
print(model_store.loading.ensure_weights(registry, registry.resolve(sys.argv[2])))
"""


def test_seeded_weights_are_drawn_at_first_use_and_kept(registry: Registry, card: ModelCard) -> None:
    load_synthesizer(registry, card, device="cpu")
    path = registry.weights_path(card)
    written = path.stat().st_mtime_ns
    assert load_synthesizer(registry, card, device="cpu").config == card.generator
    assert path.stat().st_mtime_ns == written


def test_processes_that_load_at_once_draw_once(registry: Registry, card: ModelCard) -> None:
    path = registry.weights_file(card)
    command = [sys.executable, "-c", LOAD, str(path.parents[2]), card.reference]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    paths = [child.communicate(timeout=120)[0].strip() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert set(paths) == {str(path)}
    assert {file.name for file in path.parent.iterdir()} == {".lock", "card.json", "model.safetensors"}


def test_what_a_killed_process_left_is_cleared_away(registry: Registry, card: ModelCard) -> None:
    left = registry.weights_file(card).with_name(".model.safetensors.1234.partial")
    left.write_bytes(b"half")
    ensure_weights(registry, card)
    assert not left.exists()


def test_weights_that_were_changed_are_not_loaded(registry: Registry, card: ModelCard) -> None:
    path = ensure_weights(registry, card)
    data = bytearray(path.read_bytes())
    data[-9] ^= 0x40
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="was changed or damaged"):
        load_synthesizer(registry, card, device="cpu")


def test_a_seed_that_draws_other_weights_than_the_card_names_leaves_nothing(
    registry: Registry, card: ModelCard
) -> None:
    other = dataclasses.replace(card, weights=dataclasses.replace(card.weights, seed=6))
    with pytest.raises(WeightsError, match="its seed 6 draws other weights than its card names"):
        ensure_weights(registry, other)
    assert not registry.weights_file(card).exists()


def test_weights_without_a_seed_are_not_made_up(registry: Registry, card: ModelCard) -> None:
    trained = dataclasses.replace(card, weights=dataclasses.replace(card.weights, seed=None))
    with pytest.raises(WeightsError, match="do not exist"):
        load_synthesizer(registry, trained, device="cpu")


def test_weights_of_another_architecture_are_refused(registry: Registry, card: ModelCard) -> None:
    other = dataclasses.replace(card.generator, hidden_channels=5)
    path = registry.weights_file(card)
    save_tensors(path, draw_weights(other, 5), other)
    weights = dataclasses.replace(card.weights, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(WeightsError, match="another architecture than its card describes"):
        load_synthesizer(registry, dataclasses.replace(card, weights=weights), device="cpu")


def test_an_absent_device_is_refused_before_anything_is_drawn(registry: Registry, card: ModelCard) -> None:
    with pytest.raises(DeviceError):
        load_synthesizer(registry, card, device="tpu")
    assert not registry.weights_file(card).exists()


def test_a_models_folder_that_cannot_be_made_is_named(card: ModelCard, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match=rf"{tmp_path}/file/tiny/1: weights cannot be kept there"):
        ensure_weights(Registry(tmp_path / "file"), card)


def test_a_folder_where_no_lock_can_be_kept_is_named(registry: Registry, card: ModelCard) -> None:
    registry.weights_file(card).with_name(".lock").mkdir()
    with pytest.raises(WeightsError, match="cannot be kept there"):
        ensure_weights(registry, card)


def test_spectral_norm_cannot_be_drawn(card: ModelCard) -> None:
    with pytest.raises(CardError, match="spectral_norm false"):
        draw_weights(dataclasses.replace(card.generator, spectral_norm=True), 1)


def test_seeds_draw_different_weights_and_tensors_do_not_repeat(card: ModelCard) -> None:
    first, second = draw_weights(card.generator, 1), draw_weights(card.generator, 2)
    name = "head.norm_0.gamma.weight"
    assert not first[name].equal(second[name])
    assert not first[name].equal(first["head.norm_0.beta.weight"])
    assert first["head.norm_0.statistics.running_var"].eq(1).all()
    assert first["head.conv_0.bias"].eq(0).all()


def test_drawn_weights_are_the_ones_that_the_built_in_card_pins(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    card = registry.card("coco-stuff")
    path = ensure_weights(registry, card)
    try:
        assert path.stat().st_size == card.weights.bytes
    finally:
        path.unlink()  # 390 MB


def test_drawn_weights_tell_classes_apart_and_their_pictures_are_neither_flat_nor_saturated() -> None:
    sizes = {"height": 256, "width": 256, "base_channels": 8, "hidden_channels": 32, "latent_dim": 64}
    config = GeneratorConfig(label_nc=32, dont_care=True, instance_edges=False, spectral_norm=False, **sizes)
    model = Synthesizer(build_generator(config, draw_weights(config, 114), where="drawn"), device=torch.device("cpu"))
    tiles = np.kron(np.arange(36).reshape(6, 6) % 32, np.ones((43, 43)))[:256, :256].astype(np.uint8)
    first, second = model.synthesize(np.stack([tiles, tiles]), None, [1, 2]).astype(int)
    colors = np.array(
        [first[43 * y + 10 : 43 * y + 33, 43 * x + 10 : 43 * x + 33].mean((0, 1)) for y in range(5) for x in range(6)]
    )
    distances = np.linalg.norm(colors[:, None] - colors[None], axis=-1)[~np.eye(30, dtype=bool)]
    assert np.median(distances) > 40
    assert distances.min() > 2
    assert ((first < 3) | (first > 252)).mean() < 0.02
    assert np.abs(first - second).mean() > 5
