"""The latents of the styles that a batch asks for. Needs torch."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from model_store.card import EncoderInfo, ModelCard
from model_store.chosen_style import ChosenStyle
from model_store.loading import load_described_encoder
from model_store.registry import Registry
from model_store.styles import latent_of_blend, latent_of_pictures, latent_of_style
from spade.encoder import ImageEncoder
from spade.errors import ConfigError

Pictures = Mapping[str, NDArray[np.uint8]]
"""RGB (H, W, 3) by the names that styles have for them."""


class StyleLatents:
    """Keeps the encoders that it has loaded. For one thread at a time."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._encoders: dict[EncoderInfo | None, ImageEncoder] = {}

    def latents(self, card: ModelCard, styles: Sequence[ChosenStyle | None], pictures: Pictures) -> list[Tensor | None]:
        """z (latent_dim,) for each item, None where it asks for no style; each style of a batch is found once.

        Raises `SpadeError` when the card has no such style, or no encoder of a picture's style.
        """
        found = {style: self._latent(card, style, pictures) for style in set(styles) if style is not None}
        return [None if style is None else found[style] for style in styles]

    def _latent(self, card: ModelCard, style: ChosenStyle, pictures: Pictures) -> Tensor:
        if style.picture is not None:
            return latent_of_pictures(self._encoder(card), [pictures[style.picture]])
        if style.first is None:
            raise ConfigError(f"the model {card.reference} was asked for a style without a name")
        if style.second is None:
            return latent_of_style(card, style.first)
        return latent_of_blend(card, style.first, style.second, style.weight)

    def _encoder(self, card: ModelCard) -> ImageEncoder:
        if card.encoder not in self._encoders:
            self._encoders[card.encoder] = load_described_encoder(self._registry, card)
        return self._encoders[card.encoder]
