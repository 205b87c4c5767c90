"""Weights drawn from a seed, for models that were never trained: the same bytes on every machine.

Only the bit stream of the generator (Philox, whose stream numpy promises to keep) and exactly rounded float32 products
are used; no library's idea of a distribution.
"""

import math
import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_store.errors import CardError
from spade.checkpoint import empty_generator
from spade.config import GeneratorConfig

GAINS = {
    "start": 1.3,
    "shared": 1.4,
    "gamma": 0.35,
    "beta": 1.1,
    "conv_0": 1.2,
    "conv_1": 0.8,
    "conv_skip": 0.45,
    "to_image": 0.55,
}
"""How strongly each kind of layer passes on what it reads.

Chosen by eye: what the finest layers say of the classes outweighs what the coarse ones say, so that every class has a
colour, and the last layer stays clear of the ends of tanh.
"""


def draw_weights(config: GeneratorConfig, seed: int) -> dict[str, Tensor]:
    """A generator's tensors: uniform weights of variance gain**2 / fan-in, no biases, statistics that change nothing.

    Raises CardError: where `config` has spectral norm, whose power iteration would not give equal bits everywhere.
    """
    if config.spectral_norm:
        raise CardError("weights that are drawn from a seed need spectral_norm false in the card's generator")
    return {name: _draw(name, blank, config, seed) for name, blank in empty_generator(config).state_dict().items()}


def _draw(name: str, blank: Tensor, config: GeneratorConfig, seed: int) -> Tensor:
    if name.endswith("running_var"):
        return torch.ones(blank.shape)
    if not name.endswith("weight"):
        return torch.zeros(blank.shape, dtype=blank.dtype)
    layer = name.split(".")[-2]
    reads_one_hot = layer == "shared" or (layer == "start" and config.latent_dim is None)
    # Of one-hot channels only one per pixel (with edges, at times two) is not zero.
    fan_in = math.prod(blank.shape[2:]) * (1 if reads_one_hot else blank.shape[1])
    bound = np.float32(GAINS[layer] * math.sqrt(3 / fan_in))
    return torch.from_numpy(_uniform(blank.numel(), name, seed) * bound).reshape(blank.shape)


def _uniform(count: int, name: str, seed: int) -> NDArray[np.float32]:
    """`count` float32 from -1 to 1; each tensor has a stream of its own, so that none depends on another."""
    stream = np.random.Philox(key=[seed, zlib.crc32(name.encode())])
    bits = stream.random_raw((count + 1) // 2).astype("<u8").view("<u4")[:count]
    return (bits >> 8).astype(np.float32) * np.float32(2**-23) - np.float32(1)
