"""A models folder with one small model in it."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from model_store.card import LabelClass, ModelCard, Training, WeightsInfo
from model_store.drawing import draw_weights
from model_store.registry import Registry
from spade.checkpoint import save_tensors
from spade.config import GeneratorConfig


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def card(tmp_path: Path) -> ModelCard:
    """Three classes and unknown, edges, no latent, 64x32; weights from seed 5, which are not drawn yet."""
    generator = GeneratorConfig(
        label_nc=3,
        dont_care=True,
        instance_edges=True,
        height=32,
        width=64,
        base_channels=1,
        hidden_channels=4,
        spectral_norm=False,
    )
    path = tmp_path / "drawn.safetensors"
    save_tensors(path, draw_weights(generator, 5), generator)
    data = path.read_bytes()
    return ModelCard(
        name="tiny",
        version="1",
        title="Tiny",
        description="For tests",
        training=Training.UNTRAINED,
        licence="Apache-2.0",
        data="none",
        generator=generator,
        classes=(
            LabelClass(id=0, name="sky-other", color="#9ceedd"),
            LabelClass(id=1, name="tree", color="#a8c832"),
            LabelClass(id=2, name="person", color="#00ff00"),
        ),
        weights=WeightsInfo(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), seed=5),
    )


@pytest.fixture
def add_card(tmp_path: Path) -> Callable[[ModelCard], Path]:
    """Puts a card into the models folder `models`, and says where."""

    def add(card: ModelCard) -> Path:
        path = tmp_path / "models" / card.name / card.version / "card.json"
        path.parent.mkdir(parents=True)
        path.write_text(card.to_json())
        return path

    return add


@pytest.fixture
def registry(card: ModelCard, add_card: Callable[[ModelCard], Path], tmp_path: Path) -> Registry:
    """Knows the model of `card`, in versions 1 and 10, beside the built-in ones."""
    add_card(card)
    add_card(dataclasses.replace(card, version="10"))
    return Registry(tmp_path / "models")
