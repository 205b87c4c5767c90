"""Small models in a models folder."""

from collections.abc import Sequence
from pathlib import Path

import torch

from model_store.card import LabelClass, ModelCard, Training
from model_store.versions import NOT_YET_WRITTEN, add_version
from spade.config import EncoderConfig
from spade.encoder import ImageEncoder
from support.generators import settled_generator


def add_small_model(
    models_dir: Path, name: str, version: str = "1", *, classes: Sequence[str] = (), **changes: object
) -> ModelCard:
    """A model of five classes, 64x64, with a latent of four numbers and an encoder; `changes` are of its generator."""
    generator = settled_generator(**{"latent_dim": 4, **changes})
    names = classes or [f"class {i}" for i in range(generator.config.label_nc)]
    torch.manual_seed(1)
    encoder = ImageEncoder(EncoderConfig(latent_dim=4, base_channels=2)).eval()
    card = ModelCard(
        name=name,
        version=version,
        title=name.capitalize(),
        description="For tests",
        training=Training.UNTRAINED,
        licence="Apache-2.0",
        data="none",
        generator=generator.config,
        classes=tuple(LabelClass(id=i, name=item, color=f"#0000{i:02x}") for i, item in enumerate(names)),
        weights=NOT_YET_WRITTEN,
    )
    return ModelCard.from_json((add_version(models_dir, card, generator, encoder) / "card.json").read_text())
