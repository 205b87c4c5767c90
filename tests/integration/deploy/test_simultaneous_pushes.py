"""Two machines that push different models under one name and version at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from deploy.model_transfer import TransferError, pull, push, stored_card
from model_store.card import ModelCard
from model_store.registry import Registry
from support.models import add_small_model
from workers.storage import ObjectStore

ROUNDS = 5
Machine = tuple[Registry, ModelCard]


@pytest.fixture
def machines(tmp_path: Path) -> list[Machine]:
    folders = [(tmp_path / f"machine-{width}", width) for width in (4, 8)]
    return [(Registry(folder), add_small_model(folder, "small", hidden_channels=width)) for folder, width in folders]


def test_one_that_begins_while_another_is_at_it_is_refused(
    machines: list[Machine], objects: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (registry, card), other = machines
    put: Callable[..., None] = objects.put
    refused: list[str] = []

    def put_meanwhile(key: str, data: bytes, **options: str) -> None:
        put(key, data, **options)
        if key.endswith("model.safetensors") and not refused:
            with pytest.raises(TransferError) as caught:
                push(*other, objects)
            refused.append(str(caught.value))

    monkeypatch.setattr(objects, "put", put_meanwhile)
    assert push(registry, card, objects)
    assert "small@1: somebody else pushes another model of that name and version; choose another" in refused[0]
    assert pull(objects, card, tmp_path / "there"), "whole and as its card says"
    assert [key.rpartition("/")[2] for key in objects.keys("models/")] == [
        "card.json",
        "encoder.safetensors",
        "model.safetensors",
    ]


def test_what_is_in_the_store_is_one_of_both_or_none(
    machines: list[Machine], objects: ObjectStore, tmp_path: Path
) -> None:
    start = Barrier(2)

    def is_pushed(machine: Machine) -> bool:
        start.wait()
        try:
            return push(*machine, objects)
        except TransferError:
            return False

    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            pushed = list(pool.map(is_pushed, machines))
            stored = stored_card(objects, "small@1")
            assert [stored == card for _, card in machines] == pushed
            assert stored is None or pull(objects, stored, tmp_path / str(number))
            objects.delete_prefix("models/")


def test_what_a_killed_push_has_left_keeps_the_same_model_from_nothing(
    machines: list[Machine], objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(objects, "delete", lambda _: None)
        assert push(*machines[0], objects)
    objects.delete("models/small/1/card.json")
    (claim,) = objects.keys("models/small/1/push-")
    with pytest.raises(TransferError, match=f"if nobody does, delete {claim} from the object store"):
        push(*machines[1], objects)
    assert push(*machines[0], objects)
    assert list(objects.keys("models/small/1/push-")) == []
