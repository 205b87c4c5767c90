"""Blends: what lies between two styles."""

import pytest
import torch

from spade.errors import ConfigError
from spade.styles import blend_latents
from spade.synthesis import latent_from_seed

DIM = 64


def test_the_ends_of_a_blend_are_the_styles_themselves():
    first, second = latent_from_seed(1, DIM), latent_from_seed(2, DIM)
    for weight, end in ((0.0, first), (1.0, second)):
        torch.testing.assert_close(blend_latents(first, second, weight), end)


def test_a_blend_stays_as_long_as_the_styles_are_in_proportion():
    first, second = latent_from_seed(1, DIM), latent_from_seed(2, DIM)
    for weight in (0.25, 0.5, 0.9):
        length = (1 - weight) * first.norm() + weight * second.norm()
        torch.testing.assert_close(blend_latents(first, second, weight).norm(), length)


def test_a_style_blended_with_itself_or_its_opposite_is_no_accident():
    latent = latent_from_seed(3, DIM)
    torch.testing.assert_close(blend_latents(latent, latent, 0.4), latent)
    assert torch.isfinite(blend_latents(latent, -latent, 0.4)).all()
    torch.testing.assert_close(blend_latents(latent, torch.zeros(DIM), 0.5), latent / 2)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_beyond_the_ends_is_refused(weight):
    with pytest.raises(ConfigError, match="weight"):
        blend_latents(latent_from_seed(1, DIM), latent_from_seed(2, DIM), weight)
