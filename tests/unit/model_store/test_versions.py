"""Versions that several writers add at once, and what is left of versions that never came to be."""

import dataclasses
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from model_store.errors import CardError
from model_store.registry import Registry
from model_store.versions import (
    NOT_YET_WRITTEN,
    add_version,
    copy_version,
    files_of,
    remove_version,
    require_digest,
    seal_card,
    sole_writer,
)
from spade.config import EncoderConfig
from spade.encoder import ImageEncoder
from support.generators import settled_generator
from support.models import add_small_model

ROUNDS = 20


def test_of_two_that_add_the_same_version_at_once_one_is_refused_and_the_other_is_whole(tmp_path: Path) -> None:
    sources = []
    for width in (4, 8):
        folder = tmp_path / f"source-{width}"
        add_small_model(folder, "small", "1", hidden_channels=width)
        sources.append(folder / "small" / "1")
    models = tmp_path / "models"
    start = Barrier(2)

    def add(source: Path) -> bool:
        start.wait()
        try:
            copy_version(source, models)
        except CardError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            assert sorted(pool.map(add, sources)) == [False, True]
            card = Registry(models).resolve("small")
            for name, info in files_of(card).items():
                require_digest(models / "small" / "1" / name, info, card)
            shutil.rmtree(models / "small")


def test_a_card_is_not_sealed_while_somebody_else_writes(tmp_path: Path) -> None:
    card = add_small_model(tmp_path, "small")
    with ThreadPoolExecutor(1) as pool:
        with sole_writer(tmp_path):
            sealed = pool.submit(seal_card, tmp_path / "small" / "1")
            with pytest.raises(TimeoutError):
                sealed.result(0.2)
        assert sealed.result(10) == card


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_encoder_that_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    generator = settled_generator(latent_dim=4)
    card = dataclasses.replace(add_small_model(tmp_path / "other", "small"), encoder=None, weights=NOT_YET_WRITTEN)
    encoder = ImageEncoder(EncoderConfig(latent_dim=5, base_channels=2))
    with pytest.raises(CardError, match="encoder: latent_dim is 5, the generator's 4"):
        add_version(tmp_path / "models", card, generator, encoder)
    assert not (tmp_path / "models").exists()


def test_a_version_takes_over_nothing_of_one_that_never_came_to_have_a_card(tmp_path: Path) -> None:
    models, generator = tmp_path / "models", settled_generator(latent_dim=4)
    card = add_small_model(models, "small")
    (models / "small" / "1" / "card.json").unlink()
    plain = dataclasses.replace(card, encoder=None, weights=NOT_YET_WRITTEN)
    assert names(add_version(models, plain, generator)) == ["card.json", "model.safetensors"]
    remove_version(models, "small", "1")
    add_small_model(models, "small")
    (models / "small" / "1" / "card.json").unlink()
    copy_version(add_version(tmp_path / "source", plain, generator), models)
    assert names(models / "small" / "1") == ["card.json", "model.safetensors"]


def test_what_is_left_without_a_card_can_be_removed_but_not_drawn_weights_of_a_model_that_is_shipped(
    tmp_path: Path,
) -> None:
    for name in ("small", "landscape"):
        (tmp_path / name / "1").mkdir(parents=True)
        (tmp_path / name / "1" / "model.safetensors").touch()
    remove_version(tmp_path, "small", "1")
    assert not (tmp_path / "small").exists()
    with pytest.raises(CardError, match="ships with the program"):
        remove_version(tmp_path, "landscape", "1")
    (tmp_path / "pictures" / "2026").mkdir(parents=True)
    with pytest.raises(CardError, match="pictures@2026 is not in"):
        remove_version(tmp_path, "pictures", "2026")
