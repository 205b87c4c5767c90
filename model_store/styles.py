"""From a style's name, a blend of two, or pictures to the latent that the generator takes."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_store.card import ModelCard
from spade.data.transforms import picture_to_floats
from spade.encoder import ImageEncoder
from spade.errors import ConfigError
from spade.styles import blend_latents
from spade.synthesis import latent_from_seed


def latent_of_style(card: ModelCard, name: str) -> Tensor:
    """z (latent_dim,), float32 on the CPU, of a style preset.

    Raises ConfigError: where the card has no such style; it lists those that it has.
    """
    preset = card.styles_by_name.get(name)
    latent_dim = card.generator.latent_dim
    if preset is None or latent_dim is None:
        existing = ", ".join(card.styles_by_name) or "none"
        raise ConfigError(f"the model {card.reference} has no style {name!r}; it has: {existing}")
    if preset.seed is not None:
        return latent_from_seed(preset.seed, latent_dim)
    return torch.tensor(preset.latent)


def latent_of_blend(card: ModelCard, first: str, second: str, weight: float) -> Tensor:
    """z between two presets, as `blend_latents`. Raises as `latent_of_style`."""
    return blend_latents(latent_of_style(card, first), latent_of_style(card, second), weight)


@torch.inference_mode()
def latent_of_pictures(encoder: ImageEncoder, pictures: Sequence[NDArray[np.uint8]]) -> Tensor:
    """z (latent_dim,), the mean of what the encoder reads in RGB pictures (H, W, 3), uint8, of any sizes."""
    means = [encoder(torch.from_numpy(picture_to_floats(picture)).unsqueeze(0))[0][0] for picture in pictures]
    return torch.stack(means).mean(dim=0)
