"""Which models a worker serves."""

from pathlib import Path

import pytest

from model_store.errors import UnusableModelError
from model_store.registry import BUILT_IN_MODELS, CARD_FILE, Registry
from workers.served_models import ServedModels

CARD = (BUILT_IN_MODELS / "landscape" / "1" / CARD_FILE).read_text(encoding="utf-8")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Knows `landscape`, and `broken`, whose card is none."""
    for name, text in (("landscape", CARD), ("broken", "{")):
        path = tmp_path / name / "1" / CARD_FILE
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return Registry(tmp_path, built_in=None)


def test_a_damaged_card_takes_no_other_model_from_a_worker(registry: Registry) -> None:
    assert ServedModels([], registry).names == ("landscape",)
    with pytest.raises(UnusableModelError, match="model broken@1 cannot be used"):
        ServedModels(["broken"], registry)


def test_a_model_whose_card_is_mended_is_served_from_then_on(registry: Registry, tmp_path: Path) -> None:
    served = ServedModels([], registry)
    (tmp_path / "landscape" / "1" / CARD_FILE).write_text("{")
    served.look_again(lambda name: pytest.fail(f"{name} is new"))
    assert served.names == ()
    (tmp_path / "landscape" / "1" / CARD_FILE).write_text(CARD)
    found: list[str] = []
    served.look_again(found.append)
    assert (served.names, found) == (("landscape",), ["landscape"])
