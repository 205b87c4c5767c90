"""What the engine in this process loads, and keeps loaded, of models that have changed in the models folder."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from model_store.card import ModelCard
from model_store.chosen_style import ChosenStyle
from model_store.errors import WeightsError
from model_store.registry import Registry
from model_store.style_latents import StyleLatents
from model_store.versions import version_folder, write_card
from support.models import add_small_model
from workers.engine import LocalEngine
from workers.settings import WorkerSettings


def add_with_files_of(models_dir: Path, card: ModelCard, **changes: object) -> ModelCard:
    """Version 3 of a model, with the files of another version and a card of its own."""
    changed = dataclasses.replace(card, version="3", **changes)
    folder = version_folder(models_dir, changed)
    shutil.copytree(version_folder(models_dir, card), folder)
    write_card(folder, changed)
    return changed


@pytest.fixture
def second(tmp_path: Path) -> ModelCard:
    return add_small_model(tmp_path, "w", "2")


def test_a_card_that_does_not_describe_its_weights_is_refused_though_they_are_loaded(
    second: ModelCard, tmp_path: Path
) -> None:
    third = add_with_files_of(tmp_path, second, generator=dataclasses.replace(second.generator, hidden_channels=4))
    engine = LocalEngine(Registry(tmp_path), WorkerSettings(device="cpu", threads=1))
    engine.load("w", second.version)
    with pytest.raises(WeightsError, match=r"w@3: .* holds another architecture than its card describes"):
        engine.load("w", third.version)


def test_a_card_that_does_not_describe_its_encoder_is_refused_though_it_is_loaded(
    second: ModelCard, tmp_path: Path
) -> None:
    assert second.encoder is not None
    config = dataclasses.replace(second.encoder.config, base_channels=4)
    third = add_with_files_of(tmp_path, second, encoder=dataclasses.replace(second.encoder, config=config))
    latents = StyleLatents(Registry(tmp_path))
    style, pictures = [ChosenStyle(picture="p")], {"p": np.zeros((256, 256, 3), np.uint8)}
    assert latents.latents(second, style, pictures)[0] is not None
    with pytest.raises(WeightsError, match=r"w@3: .* holds another architecture than its card describes"):
        latents.latents(third, style, pictures)
