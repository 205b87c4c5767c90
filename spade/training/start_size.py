"""Weights of a generator at another size of pictures: the only layer that knows the size is the first, of a latent.

C channels, G rows and W columns of the first features, Z numbers of a latent.
"""

from dataclasses import replace

from torch import Tensor
from torch.nn import functional

from spade.config import GeneratorConfig
from spade.training.start_files import TrainedNetwork


def at_size_of(trained: TrainedNetwork, config: GeneratorConfig) -> TrainedNetwork:
    """The generator `trained` for pictures of the size of `config`: each of its first features stretched or shrunk.

    As it is where nothing depends on the size, or the sizes are equal or not known.
    """
    theirs = trained.config
    if not isinstance(theirs, GeneratorConfig) or theirs.latent_dim is None or config.latent_dim is None:
        return trained
    before, after = _first_features(theirs), _first_features(config)
    if before == after:
        return trained
    resized = {name: _resized(trained.tensors[name], before, after) for name in ("start.weight", "start.bias")}
    return replace(trained, tensors={**trained.tensors, **resized})


def _first_features(config: GeneratorConfig) -> tuple[int, int]:
    """(G, W) of a generator."""
    return config.height // config.size_multiple, config.width // config.size_multiple


def _resized(tensor: Tensor, before: tuple[int, int], after: tuple[int, int]) -> Tensor:
    """(C G W, Z) or (C G W,) for the other G and W, linearly between the features."""
    as_maps = tensor.reshape(-1, *before, *tensor.shape[1:]).reshape(-1, *before, tensor[0].numel()).movedim(-1, 0)
    resized = functional.interpolate(as_maps, size=after, mode="bilinear", align_corners=False)
    return resized.movedim(0, -1).reshape(-1, *tensor.shape[1:])
