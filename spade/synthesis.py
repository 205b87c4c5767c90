"""Pictures from label maps, or from pictures in their place, with one loaded generator.

B batch, H W pixels.
"""

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spade.checkpoint import load_generator
from spade.engine.cache import ModulationCache
from spade.engine.config import EngineConfig
from spade.engine.engine import Engine
from spade.errors import ConfigError, OutOfMemoryError
from spade.generator import SpadeGenerator
from spade.plain import PlainPictures
from spade.semantics_form import reads_pictures

MAX_SEED = 2**63 - 1

_SIGNS_OF_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")
"""In messages of torch's CPU allocator (Linux, Windows) and of MPS, which have no error class of their own."""


def latent_from_seed(seed: int, latent_dim: int) -> Tensor:
    """Standard normal z (latent_dim,), float32 on the CPU: the same for a seed whatever the device and the batch.

    Raises ConfigError: where the seed is not from 0 to 2**63 - 1.
    """
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"seed {seed}: it must be from 0 to {MAX_SEED}")
    return torch.randn(latent_dim, generator=torch.Generator().manual_seed(seed))


class Synthesizer:
    """A generator on a device: as an engine, or where its input is pictures, the plain network.

    Safe to share between threads that take turns.

    Synthesizers may share a `cache` of what they keep for more pictures of a label map.
    """

    def __init__(
        self,
        generator: SpadeGenerator,
        *,
        device: torch.device,
        engine: EngineConfig | None = None,
        cache: ModulationCache | None = None,
    ) -> None:
        self.config = generator.config
        self.device = device
        with out_of_memory_translated("loading the model"):
            self._maker = (
                PlainPictures(generator, device=device)
                if reads_pictures(generator.config)
                else Engine.from_generator(generator, device=device, config=engine, cache=cache)
            )

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        device: torch.device,
        engine: EngineConfig | None = None,
        cache: ModulationCache | None = None,
    ) -> Self:
        """Of a weights file, which is no longer in memory when the engine has made its own of it.

        Raises CheckpointError: as `load_generator` says. OutOfMemoryError: where the device cannot hold the weights.
        """
        synthesizer = cls(load_generator(path), device=device, engine=engine, cache=cache)
        gc.collect()  # the generator's modules refer to one another, and so hold the mapped file until then
        return synthesizer

    @torch.inference_mode()
    def synthesize(
        self,
        label_maps: NDArray[np.integer] | NDArray[np.float32],
        instance_maps: NDArray[np.integer] | None,
        seeds: Sequence[int],
        latents: Sequence[Tensor | None] | None = None,
    ) -> NDArray[np.uint8]:
        """RGB pictures (B, H, W, 3), uint8, one per label map; what else is in the batch is all the same.

        But for rounding: some processors add up a batch of another size in another order, which may put a few values
        one level off.

        `label_maps` (B, H, W) holds class ids 0..label_nc-1 and label_nc for unknown, or (B, 3, H, W) pictures in
        [-1, 1] for a model that reads those; `instance_maps` (B, H, W), or None for the borders between classes;
        `seeds`, B of them, decide z (latent_dim,) where the model has a latent and, of B `latents`, there is none.

        Raises ConfigError: where the sizes or ids do not fit the model. OutOfMemoryError: where the batch is too big.
        """
        batch, (height, width) = len(label_maps), label_maps.shape[-2:]
        self.config.check_size(height, width)
        if len(seeds) != batch or (instance_maps is not None and instance_maps.shape != (batch, height, width)):
            given = "no" if instance_maps is None else f"{instance_maps.shape}"
            raise ConfigError(f"{label_maps.shape} label maps with {given} instance maps and {len(seeds)} seeds")
        with out_of_memory_translated(f"a batch of {batch} pictures of {width}x{height}"):
            pictures = self._maker.pictures(
                _tensor(label_maps),
                None if instance_maps is None else _tensor(instance_maps),
                self._latents(seeds, latents or [None] * batch),
            )
            return to_pixels(pictures)

    def _latents(self, seeds: Sequence[int], latents: Sequence[Tensor | None]) -> Tensor | None:
        dim = self.config.latent_dim
        if dim is None:
            return None
        chosen = [
            latent_from_seed(seed, dim) if latent is None else latent
            for seed, latent in zip(seeds, latents, strict=True)
        ]
        return torch.stack(chosen).to(self.device)


def _tensor(values: NDArray[np.integer] | NDArray[np.float32]) -> Tensor:
    """Ids as int64, pictures as they are."""
    return torch.from_numpy(values if values.dtype == np.float32 else values.astype(np.int64))


def to_pixels(pictures: Tensor) -> NDArray[np.uint8]:
    """(B, 3, H, W) in [-1, 1] to (B, H, W, 3) bytes, truncated rather than rounded, as the published code writes."""
    levels = ((pictures.float() + 1) / 2 * 255).clamp(0, 255).to(torch.uint8)
    pixels: NDArray[np.uint8] = levels.permute(0, 2, 3, 1).cpu().numpy()
    return np.ascontiguousarray(pixels)


@contextmanager
def out_of_memory_translated(what: str) -> Iterator[None]:
    """Turns torch's errors about memory, of any device, into OutOfMemoryError; `what` is what did not fit."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemoryError(f"the device has not enough memory for {what}") from error
    except RuntimeError as error:
        if any(sign in str(error) for sign in _SIGNS_OF_NO_MEMORY):
            raise OutOfMemoryError(f"the device has not enough memory for {what}") from error
        raise
