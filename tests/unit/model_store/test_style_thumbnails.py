"""Cards that somebody changes while pictures are made for them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_store import style_thumbnails
from model_store.card import ModelCard, StylePreset
from model_store.errors import CardError
from model_store.loading import load_synthesizer
from model_store.style_thumbnails import show_styles_in_card
from model_store.thumbnails import make_thumbnail
from model_store.versions import read_card, remove_version, write_card
from support.models import add_small_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a version with a style."""
    card = add_small_model(tmp_path / "models", "small")
    folder = tmp_path / "models" / "small" / "1"
    write_card(folder, dataclasses.replace(card, styles=(StylePreset(name="warm", seed=1),)))
    return folder


@pytest.fixture
def show(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], ModelCard]:
    """Makes the pictures, while something else happens."""
    label_map = tmp_path / "map.png"
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(label_map)

    def show(meanwhile: Callable[[], None]) -> ModelCard:
        def load(*_: object, **__: object) -> object:
            meanwhile()
            return loaded

        loaded = load_synthesizer(style_thumbnails.Registry(folder.parent.parent), read_card(folder / "card.json"))
        monkeypatch.setattr(style_thumbnails, "load_synthesizer", load)
        return show_styles_in_card(folder, label_map, device="cpu")

    return show


def test_a_version_that_is_removed_meanwhile_stays_removed(folder: Path, show: Callable[..., ModelCard]) -> None:
    with pytest.raises(CardError, match="No such file"):
        show(lambda: remove_version(folder.parent.parent, "small", "1"))
    assert not folder.exists()


def test_a_card_that_is_changed_meanwhile_stays_as_it_was_changed(folder: Path, show: Callable[..., ModelCard]) -> None:
    changed = dataclasses.replace(read_card(folder / "card.json"), licence="another")
    with pytest.raises(
        CardError, match=r"card\.json: it was changed while the pictures were made; make them once more"
    ):
        show(lambda: write_card(folder, changed))
    assert read_card(folder / "card.json") == changed


def test_other_pictures_that_are_made_meanwhile_are_replaced(folder: Path, show: Callable[..., ModelCard]) -> None:
    card = read_card(folder / "card.json")
    thumbnail = make_thumbnail(np.zeros((64, 64, 3), np.uint8))
    style = dataclasses.replace(card.styles[0], thumbnail=thumbnail)
    shown = show(lambda: write_card(folder, dataclasses.replace(card, styles=(style,))))
    assert read_card(folder / "card.json") == shown
    assert shown.styles[0].thumbnail not in (None, thumbnail)
