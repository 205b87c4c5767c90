import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from model_store.card import ModelCard
from model_store.errors import UnknownModelError, UnusableModelError, WeightsError
from model_store.registry import Registry, default_models_folder
from spade.palettes import GAUGAN_COLORS


def test_built_in_models_are_there_without_a_models_folder() -> None:
    assert [card.reference for card in Registry(None).cards()] == ["coco-stuff@1", "landscape@1", "street@1"]


def test_a_models_folder_that_does_not_exist_adds_nothing(tmp_path: Path) -> None:
    assert len(Registry(tmp_path / "nix").cards()) == 3


def test_the_latest_version_is_the_highest_number(registry: Registry) -> None:
    assert registry.card("tiny").version == "10"
    assert registry.resolve("tiny").version == "10"
    assert registry.resolve("tiny@latest").version == "10"
    assert registry.resolve("tiny@1").version == "1"
    assert [card.reference for card in registry.cards()][3:] == ["tiny@1", "tiny@10"]


def test_unknown_names_and_versions_are_answered_with_those_that_exist(registry: Registry) -> None:
    with pytest.raises(UnknownModelError, match="no model 'nix'; there are: coco-stuff, landscape, street, tiny"):
        registry.resolve("nix@1")
    with pytest.raises(UnknownModelError, match="no version '2'; it has: 1, 10"):
        registry.card("tiny", "2")


def test_models_that_are_added_or_changed_later_are_noticed(
    registry: Registry, card: ModelCard, add_card: Callable[[ModelCard], Path]
) -> None:
    assert len(registry.cards()) == 5
    path = add_card(dataclasses.replace(card, name="second"))
    assert registry.card("second").title == "Tiny"
    path.write_text(dataclasses.replace(card, name="second", title="Changed title").to_json())
    assert registry.card("second").title == "Changed title"


def test_hidden_folders_are_no_models(registry: Registry, tmp_path: Path) -> None:
    hidden = tmp_path / "models" / ".trash" / "1" / "card.json"
    hidden.parent.mkdir(parents=True)
    hidden.write_text("{")
    assert len(registry.cards()) == 5


def break_card(tmp_path: Path, version: str, content: bytes = b"{") -> Path:
    path = tmp_path / "models" / "tiny" / version / "card.json"
    path.write_bytes(content)
    return path


def test_a_model_with_a_broken_card_is_refused_with_the_reason_and_what_to_do(
    registry: Registry, tmp_path: Path
) -> None:
    path = break_card(tmp_path, "1")
    told = r"^model tiny@1 cannot be used: card\.json: not JSON: .*; restore its card, or remove .* remove tiny@1`$"
    with pytest.raises(UnusableModelError, match=told) as caught:
        registry.resolve("tiny@1")
    assert caught.value.path == path
    break_card(tmp_path, "1", b"\xff\xfe")
    with pytest.raises(UnusableModelError, match=r"card\.json: .*decode"):
        registry.card("tiny", "1")
    path.unlink()
    path.mkdir()
    with pytest.raises(UnusableModelError, match=r"card\.json: Is a directory"):
        registry.card("tiny", "1")


def test_a_broken_card_keeps_nobody_from_other_models_and_is_told_once(registry: Registry, tmp_path: Path) -> None:
    told: list[str] = []
    registry = Registry(tmp_path / "models", report=lambda error: told.append(error.reference))
    break_card(tmp_path, "1")
    assert registry.resolve("landscape").name == "landscape"
    assert [card.reference for card in registry.cards()][3:] == ["tiny@10"]
    assert [error.reference for error in registry.unusable()] == ["tiny@1"]
    assert told == ["tiny@1"]


def test_the_latest_version_is_one_that_can_be_used(registry: Registry, tmp_path: Path) -> None:
    break_card(tmp_path, "10")
    assert registry.resolve("tiny").version == "1"
    break_card(tmp_path, "1")
    with pytest.raises(UnusableModelError, match="model tiny@1 cannot be used"):
        registry.resolve("tiny")
    with pytest.raises(UnknownModelError, match="there is no model 'nix'; there are: coco-stuff, landscape, street"):
        registry.resolve("nix")


def test_a_card_that_is_mended_is_served_again_and_told_when_it_breaks_again(
    registry: Registry, card: ModelCard, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        path = break_card(tmp_path, "1")
        registry.cards()
        path.write_text(card.to_json())
        assert registry.card("tiny", "1") == card
    told = [(record.message, record.__dict__["model"], record.__dict__["path"]) for record in caplog.records]
    assert told == [("a model cannot be used", "tiny@1", str(path))] * 2


def test_a_card_in_the_wrong_folder_is_named(registry: Registry, card: ModelCard, tmp_path: Path) -> None:
    break_card(tmp_path, "10", card.to_json().encode())
    with pytest.raises(UnusableModelError, match="describes tiny@1, but its folder must be tiny/1"):
        registry.resolve("tiny@10")


def test_a_built_in_model_cannot_be_replaced(
    registry: Registry, card: ModelCard, add_card: Callable[[ModelCard], Path]
) -> None:
    add_card(dataclasses.replace(card, name="landscape"))
    (error,) = registry.unusable()
    assert "there is already a model landscape@1" in str(error)
    assert registry.card("landscape").title != card.title


def test_a_models_own_palette_has_its_colours_and_black_for_unknown(registry: Registry) -> None:
    colors = registry.palette(registry.card("tiny"), "model").colors
    assert colors == {0x9CEEDD: 0, 0xA8C832: 1, 0x00FF00: 2, 0x000000: 3}


def test_a_model_that_knows_no_unknown_has_no_colour_for_it(registry: Registry, card: ModelCard) -> None:
    generator = dataclasses.replace(card.generator, dont_care=False)
    assert 0 not in registry.palette(dataclasses.replace(card, generator=generator), "model").colors


def test_gaugan_colours_mean_the_classes_that_a_model_has(registry: Registry) -> None:
    assert registry.palette(registry.card("tiny"), "gaugan").colors == {0x9CEEDD: 0, 0xA8C832: 1}


def test_gaugan_colours_mean_their_red_bytes_in_coco_stuff_and_their_classes_in_landscape() -> None:
    registry = Registry(None)
    coco = registry.palette(registry.card("coco-stuff"), "gaugan").colors
    assert coco == {color: color >> 16 for color in GAUGAN_COLORS.values()}
    landscape = registry.card("landscape")
    assert registry.palette(landscape, "gaugan").colors == {
        GAUGAN_COLORS[one.name]: one.id for one in landscape.classes
    }


def test_an_unknown_palette_is_answered_with_those_that_exist(registry: Registry, card: ModelCard) -> None:
    with pytest.raises(UnknownModelError, match="tiny@1 has no palette 'nix'; it has: model, gaugan"):
        registry.palette(card, "nix")
    classes = tuple(dataclasses.replace(label_class, name=f"thing {label_class.id}") for label_class in card.classes)
    with pytest.raises(UnknownModelError, match=r"it has: model$"):
        registry.palette(dataclasses.replace(card, classes=classes), "gaugan")


def test_weights_that_are_absent_are_named(registry: Registry, card: ModelCard, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=rf"tiny@1: its weights {tmp_path}/models/tiny/1/model.safetensors do not"):
        registry.weights_path(card)
    with pytest.raises(WeightsError, match="no models folder is set"):
        Registry(None).weights_path(card)


def test_weights_are_verified_and_looked_at_again_when_they_change(
    registry: Registry, card: ModelCard, tmp_path: Path
) -> None:
    path = tmp_path / "models" / "tiny" / "1" / "model.safetensors"
    path.write_bytes((tmp_path / "drawn.safetensors").read_bytes())
    assert registry.weights_path(card) == path
    state = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    with pytest.raises(WeightsError, match=rf"tiny@1: .* its card says {card.weights.sha256}; the file was changed"):
        registry.weights_path(card)


def test_the_registry_needs_no_torch() -> None:
    code = "import sys, model_store.registry; sys.exit(any(name in sys.modules for name in ('torch', 'safetensors')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep such things elsewhere")
def test_models_are_kept_in_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_models_folder() == tmp_path / "spade-serving" / "models"
