"""Adding a version of a model to a models folder: weights first, then the card, without which nobody sees it."""

import dataclasses
from pathlib import Path
from typing import Final

from model_store.card import EncoderInfo, ModelCard, WeightsInfo
from model_store.errors import CardError
from model_store.registry import CARD_FILE, ENCODER_FILE, WEIGHTS_FILE, Registry, file_sha256
from spade.checkpoint import save_network
from spade.encoder import ImageEncoder
from spade.files import clear_partials, written_whole
from spade.generator import SpadeGenerator

NOT_YET_WRITTEN: Final = WeightsInfo(sha256="0" * 64, bytes=1)
"""What a card says of weights that `add_version` writes."""


def add_version(
    models_dir: Path,
    card: ModelCard,
    generator: SpadeGenerator,
    encoder: ImageEncoder | None = None,
    *,
    half: bool = False,
) -> Path:
    """Writes the version's folder and returns it. `card` says nothing yet of the weights' files and of the encoder.

    `half`: weights are kept in float16.

    Raises CardError: where there is such a version already. CheckpointError: where the weights cannot be written.
    """
    if any(other.reference == card.reference for other in Registry(models_dir).cards()):
        raise CardError(f"{card.reference}: there is such a model already; choose another version")
    folder = models_dir / card.name / card.version
    clear_partials(folder)
    card = dataclasses.replace(card, weights=_written(folder / WEIGHTS_FILE, generator, half=half))
    if encoder is not None:
        weights = _written(folder / ENCODER_FILE, encoder, half=half)
        card = dataclasses.replace(card, encoder=EncoderInfo(config=encoder.config, weights=weights))
    with written_whole(folder / CARD_FILE) as partial:
        partial.write_text(card.to_json(), encoding="utf-8")
    return folder


def _written(path: Path, network: SpadeGenerator | ImageEncoder, *, half: bool) -> WeightsInfo:
    save_network(path, network, half=half)
    return WeightsInfo(sha256=file_sha256(path), bytes=path.stat().st_size)
