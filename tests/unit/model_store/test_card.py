import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from model_store.card import LabelClass, ModelCard
from model_store.errors import CardError
from model_store.registry import BUILT_IN_MODELS


def test_a_card_survives_the_way_through_json(card: ModelCard) -> None:
    assert ModelCard.from_json(card.to_json()) == card


@pytest.mark.parametrize("version", ["0", "1", "10", "1.0", "0.10.2", "2026.11.27.1", "999999999"])
def test_versions_are_numbers(card: ModelCard, version: str) -> None:
    assert dataclasses.replace(card, version=version).reference == f"tiny@{version}"


def test_what_the_architecture_says_is_said_by_the_card(card: ModelCard) -> None:
    assert (card.label_nc, card.unknown_id, card.uses_instances, card.latent) == (3, 3, True, False)
    assert (card.width, card.height, card.reference) == (64, 32, "tiny@1")
    assert card.classes[0].rgb == 0x9CEEDD
    assert card.class_ids == {"sky-other": 0, "tree": 1, "person": 2, "unknown": 3}


def test_a_class_called_unknown_keeps_its_name(card: ModelCard) -> None:
    classes = (*card.classes[:2], dataclasses.replace(card.classes[2], name="unknown"))
    assert dataclasses.replace(card, classes=classes).class_ids["unknown"] == 2


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"name": "Tiny"}, "name 'Tiny'"),
        ({"name": "../x"}, "name '../x'"),
        ({"version": "latest"}, "version 'latest'"),
        ({"version": "01"}, "version '01': use numbers like 1, 10 or 1.2"),
        ({"version": "1.00"}, "version '1.00'"),
        ({"classes": ()}, "ids must be 0 to 2, in order"),
        ({"weights": None}, "weights: expected an object, found NoneType"),
        ({"training": "maybe"}, "training: 'maybe' is not one of untrained, trained"),
        ({"styles": "night"}, "styles: expected a list"),
        ({"title": "\x1b[31mTiny"}, "control characters"),
        ({"weights": {"sha256": "0" * 64, "bytes": 1, "seed": -1}}, "weights: seed must be 0 to"),
        ({"styles": [{"name": "a", "latent": [10**400]}]}, "int too large"),
        ({"colour": 1}, "unknown key 'colour'"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(card: ModelCard, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(CardError, match=rf"^the card: .*{named}"):
        ModelCard.from_changed_json(json.dumps(card.to_dict() | changes), where="the card")


@pytest.mark.parametrize(
    ("number", "changes", "named"),
    [
        (1, {"id": 0}, "in order"),
        (1, {"name": "person"}, "name 'person' is given 2 times"),
        (1, {"color": "#00ff00"}, "color '#00ff00' is given 2 times"),
        (1, {"color": "#00FF00"}, "class 1: color must be like"),
    ],
)
def test_classes_have_ids_in_order_and_names_and_colours_of_their_own(
    card: ModelCard, number: int, changes: dict[str, Any], named: str
) -> None:
    classes = list(card.classes)
    classes[number] = dataclasses.replace(classes[number], **changes)
    with pytest.raises(CardError, match=named):
        dataclasses.replace(card, classes=tuple(classes))


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"sha256": "00"}, "64 hexadecimal"), ({"bytes": 0}, "positive"), ({"bytes": 10**400}, "at most")],
)
def test_weights_have_a_digest_and_a_size(card: ModelCard, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(CardError, match=named):
        dataclasses.replace(card, weights=dataclasses.replace(card.weights, **changes))


def test_a_generator_that_cannot_be_is_named_in_its_card(card: ModelCard) -> None:
    data = card.to_dict()
    data["generator"]["kernel_size"] = 4
    with pytest.raises(CardError, match=r"^card\.json: .*kernel_size is 4"):
        ModelCard.from_changed_json(json.dumps(data))


@pytest.mark.parametrize("name", ["label_nc", "height", "width", "base_channels", "hidden_channels", "latent_dim"])
@pytest.mark.parametrize("value", [2**31, 10**30, 10**400])
def test_a_generator_beyond_all_use_is_refused_at_once(card: ModelCard, name: str, value: int) -> None:
    data = card.to_dict()
    data["generator"][name] = value
    with pytest.raises(
        CardError, match=rf"^card\.json: generator: {name} is {str(value)[:60]}; it (may|must) be"
    ) as caught:
        ModelCard.from_changed_json(json.dumps(data))
    assert len(str(caught.value)) < 200


def test_a_card_that_was_changed_is_refused(card: ModelCard) -> None:
    changed = card.to_json().replace("For tests", "Quite another model")
    with pytest.raises(CardError, match=r"^card\.json: it was changed after it was written: card_sha256 is"):
        ModelCard.from_json(changed)
    assert ModelCard.from_changed_json(changed).description == "Quite another model"
    with pytest.raises(CardError, match="card_sha256 is None"):
        ModelCard.from_json(json.dumps(card.to_dict()))
    laid_out_otherwise = json.dumps(dict(reversed(json.loads(card.to_json()).items())))
    assert ModelCard.from_json(laid_out_otherwise) == card


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 200_000, "{", "[]", "3"])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(CardError, match=r"card: (not JSON|it must be an object)"):
        ModelCard.from_json(text, where="card")


def test_half_a_surrogate_pair_is_no_text(card: ModelCard) -> None:
    text = card.to_json().replace("Tiny", "\\ud800", 1)
    for read in (ModelCard.from_json, ModelCard.from_changed_json):
        with pytest.raises(CardError, match="card: it holds half a surrogate pair"):
            read(text, where="card")


@pytest.mark.parametrize("path", sorted(BUILT_IN_MODELS.glob("*/*/card.json")), ids=lambda path: path.parts[-3])
def test_a_built_in_card_says_whether_the_model_is_trained(path: Path) -> None:
    card = ModelCard.from_json(path.read_text())
    assert (card.training == "untrained") == ("Untrained" in card.description) == (card.weights.seed is not None)
    assert (card.training == "trained") == (card.measured is not None)


def test_class_ids_of_coco_stuff_are_the_red_bytes_of_the_gaugan_colours() -> None:
    card = ModelCard.from_json((BUILT_IN_MODELS / "coco-stuff" / "1" / "card.json").read_text())
    assert [label_class.rgb >> 16 for label_class in card.classes] == list(range(182))
    assert card.classes[0].name == "person"
    assert card.classes[156] == LabelClass(id=156, name="sky-other", color="#9ceedd")
    assert card.classes[181].name == "wood"
