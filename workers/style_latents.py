"""The latents of the styles that a batch asks for. torch is imported at the first style, not before."""

from typing import TYPE_CHECKING

from model_store.card import ModelCard
from model_store.registry import Registry
from spade.errors import ConfigError
from workers.inputs import Inputs
from workers.styles import Style

if TYPE_CHECKING:
    import torch

    from spade.encoder import ImageEncoder


class StyleLatents:
    """Keeps the encoders that it has loaded. For one thread at a time."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._encoders: dict[str, ImageEncoder] = {}

    def latents(self, card: ModelCard, inputs: Inputs) -> "list[torch.Tensor | None]":
        """z (latent_dim,) for each item, None where it asks for no style; each style of a batch is found once.

        Raises `SpadeError` when the card has no such style, or no encoder of a picture's style.
        """
        wanted = {item.style for item in inputs.items if item.style is not None}
        found = {style: self._latent(card, style, inputs) for style in wanted}
        return [None if item.style is None else found[item.style] for item in inputs.items]

    def _latent(self, card: ModelCard, style: Style, inputs: Inputs) -> "torch.Tensor":
        from model_store.styles import latent_of_blend, latent_of_pictures, latent_of_style

        if style.picture_key is not None:
            return latent_of_pictures(self._encoder(card), [inputs.style_pictures[style.picture_key]])
        if style.first is None:
            raise ConfigError(f"the model {card.reference} was asked for a style without a name")
        if style.second is None:
            return latent_of_style(card, style.first)
        return latent_of_blend(card, style.first, style.second, style.weight)

    def _encoder(self, card: ModelCard) -> "ImageEncoder":
        from model_store.loading import load_described_encoder

        digest = card.weights.sha256 if card.encoder is None else card.encoder.weights.sha256
        if digest not in self._encoders:
            self._encoders[digest] = load_described_encoder(self._registry, card)
        return self._encoders[digest]
