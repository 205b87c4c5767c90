"""Pictures by the plain networks, for those that the engine does not know. B batch, H W pixels."""

import torch
from torch import Tensor

from spade.generator import SpadeGenerator
from spade.labels import dense_semantics
from spade.pix2pixhd import Pix2PixHDGenerator


class PlainPictures:
    """Makes the pictures that a generator makes in evaluation mode, slowly; asked as the engine is."""

    def __init__(self, generator: SpadeGenerator | Pix2PixHDGenerator, *, device: torch.device) -> None:
        self._generator = generator.eval().to(device)
        self._device = device

    @torch.inference_mode()
    def pictures(self, labels: Tensor, instances: Tensor | None = None, z: Tensor | None = None) -> Tensor:
        """Pictures (B, 3, H, W) in [-1, 1], from what `dense_semantics` takes, and z where there is a latent.

        Raises ConfigError: where sizes, ids or latents do not fit the generator.
        """
        instances = None if instances is None else instances.to(self._device)
        semantics = dense_semantics(labels.to(self._device), instances, self._generator.config)
        latent = () if z is None else (z.to(self._device),)
        # On CUDA, float32 proper, as the engine computes.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            pictures: Tensor = self._generator(semantics, *latent)
        return pictures.float()
