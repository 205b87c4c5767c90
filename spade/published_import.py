"""Import of published generator files, `latest_net_G.pth`: tensors under published names, without a configuration.

Most of the architecture shows in the tensors; `PublishedHints` holds what does not.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from spade.checkpoint import build_encoder, build_generator, describe
from spade.config import DOUBLINGS, EncoderConfig, GeneratorConfig, Norm, Upsampling
from spade.encoder import ImageEncoder
from spade.errors import CheckpointError, ConfigError
from spade.generator import SpadeGenerator
from spade.published import own_encoder_name, own_name, published_encoder_name, published_name
from spade.semantics_form import PICTURE_CHANNELS
from spade.weights import read_tensors

OTHER_NETWORKS = {
    "discriminator_": "a discriminator; the generator is the file that ends in _net_G.pth",
    "layer1.": "an encoder; the generator is the file that ends in _net_G.pth",
    "model.": "a pix2pixHD generator, which cannot be imported",
}
"""How the tensor names of other published networks begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedHints:
    """What the tensors of a generator cannot tell; None where it is not known."""

    label_nc: int | None = None
    dont_care: bool | None = None
    instance_edges: bool | None = None
    size: tuple[int, int] | None = None
    """Height and width in pixels."""
    upsampling: Upsampling | None = None

    @classmethod
    def of(cls, config: GeneratorConfig) -> Self:
        """Those that make up what the tensors of such a generator do not tell."""
        return cls(
            label_nc=config.label_nc,
            dont_care=config.dont_care,
            instance_edges=config.instance_edges,
            size=(config.height, config.width),
            upsampling=config.upsampling,
        )


DATASETS = {
    "coco": PublishedHints(
        label_nc=182, dont_care=True, instance_edges=True, size=(256, 256), upsampling=Upsampling.NORMAL
    ),
    "ade20k": PublishedHints(
        label_nc=150, dont_care=True, instance_edges=False, size=(256, 256), upsampling=Upsampling.NORMAL
    ),
    "cityscapes": PublishedHints(
        label_nc=35, dont_care=False, instance_edges=True, size=(256, 512), upsampling=Upsampling.MORE
    ),
    "facades": PublishedHints(
        label_nc=13, dont_care=False, instance_edges=False, size=(256, 256), upsampling=Upsampling.NORMAL
    ),
}
"""The published models and their settings.

The ADE20K model was trained on that dataset's ids as they are, 0 for unknown and 1 to 150 for the classes, so they are
to be given to it unshifted, although its last channel is called the unknown one.
"""


def import_generator(path: str | os.PathLike[str], hints: PublishedHints) -> SpadeGenerator:
    """Reads a published `.pth` generator, without running any code that the file may hold.

    Both styles of spectral norm (`weight_orig` and `parametrizations.weight.original`) and a `module.` prefix are
    understood. Returns the generator in evaluation mode.

    Raises CheckpointError: where the file is missing, damaged, or holds anything but tensors; where `hints` lacks what
    the tensors cannot tell; or, naming the first tensor and both shapes, where the two do not fit together.
    """
    where = os.fspath(path)
    tensors = read_published_generator(path)
    config = infer_config(tensors, hints, where=where)
    return build_generator(config, tensors, where=where, spoken_name=published_name)


def import_encoder(path: str | os.PathLike[str]) -> ImageEncoder:
    """Reads a published `.pth` encoder, as `import_generator` does a generator.

    Raises CheckpointError: where the file is missing, damaged, or holds another network.
    """
    where = os.fspath(path)
    tensors = {own_encoder_name(name): as_float(tensor) for name, tensor in read_tensors(where).items()}
    spectral = "convolutions.0.parametrizations.weight.original" in tensors
    first = f"convolutions.0.{'parametrizations.weight.original' if spectral else 'weight'}"
    for name, rank in ((first, 4), ("mean.weight", 2)):
        if name not in tensors or tensors[name].ndim != rank:
            found = describe(tensors[name]) if name in tensors else "missing"
            raise CheckpointError(f"{where}: not an encoder: tensor {published_encoder_name(name)} is {found}")
    config = EncoderConfig(
        latent_dim=len(tensors["mean.weight"]),
        base_channels=len(tensors[first]),
        in_channels=tensors[first].shape[1],
        spectral_norm=spectral,
    )
    return build_encoder(config, tensors, where=where, spoken_name=published_encoder_name)


def read_published_generator(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a published `.pth` generator under our names, float32, whole also where an old torch wrote them.

    Raises CheckpointError: where the file is missing, damaged, holds anything but tensors, or another network.
    """
    where = os.fspath(path)
    tensors = {own_name(name): tensor for name, tensor in read_tensors(where).items()}
    _refuse_other_networks(tensors, where)
    for name, tensor in list(tensors.items()):
        if name.endswith(".running_var"):  # torch before 0.4.1 did not count batches
            tensors.setdefault(name.replace("running_var", "num_batches_tracked"), torch.tensor(0))
        tensors[name] = as_float(tensor)
    return tensors


def as_float(tensor: Tensor) -> Tensor:
    """In float32, unless it holds integers."""
    return tensor.float() if tensor.is_floating_point() else tensor


def infer_config(tensors: Mapping[str, Tensor], hints: PublishedHints, *, where: str) -> GeneratorConfig:
    """The architecture that a generator's `tensors`, under our names, belong to.

    Raises CheckpointError: where a tensor that shows it is missing, or `hints` lacks or contradicts something.
    """
    hidden_channels, semantic_channels, kernel_size, _ = _shape(tensors, "head.norm_0.shared.weight", (4,), where)
    base_channels = _shape(tensors, "head.conv_0.bias", (1,), where)[0] // 16
    output_channels = _shape(tensors, "to_image.weight", (4,), where)[0]
    start = _shape(tensors, "start.weight", (2, 4), where)
    has_latent = len(start) == 2
    has_statistics = "head.norm_0.statistics.running_mean" in tensors

    label_nc, dont_care, instance_edges = _split_channels(semantic_channels, hints, where)
    if hints.size is None:
        raise CheckpointError(f"{where}: the tensors do not tell the picture size: give --size, or --dataset")
    height, width = hints.size
    start_area = start[0] // max(1, 16 * base_channels) if has_latent else None
    possible = _possible_upsamplings("up_4.conv_0.bias" in tensors, start_area, height, width)
    try:
        return GeneratorConfig(
            label_nc=label_nc,
            dont_care=dont_care,
            instance_edges=instance_edges,
            height=height,
            width=width,
            output_channels=output_channels,
            base_channels=base_channels,
            hidden_channels=hidden_channels,
            latent_dim=start[1] if has_latent else None,
            # Batch and syncbatch have the same tensors and evaluate alike; syncbatch is what was published.
            norm=Norm.SYNCBATCH if has_statistics else Norm.INSTANCE,
            kernel_size=kernel_size,
            spectral_norm="head.conv_0.parametrizations.weight.original" in tensors,
            upsampling=_choose_upsampling(possible, hints.upsampling, where),
        )
    except ConfigError as error:
        raise CheckpointError(f"{where}: {error}") from error


def _split_channels(channels: int, hints: PublishedHints, where: str) -> tuple[int, bool, bool]:
    """How many of the semantic channels are classes, and whether one each is for unknown and for edges."""
    pictures = hints.label_nc == 0
    of_classes = channels - PICTURE_CHANNELS if pictures else channels
    splits = [
        (of_classes - dont_care - edges, dont_care, edges)
        for dont_care in ((False,) if pictures else (False, True))
        for edges in (False, True)
        if hints.dont_care in (None, dont_care)
        and hints.instance_edges in (None, edges)
        and hints.label_nc in (None, of_classes - dont_care - edges)
    ]
    if len(splits) == 1:
        return splits[0]
    if splits:
        raise CheckpointError(
            f"{where}: the tensors do not tell which of the {channels} semantic channels are classes: give --dataset, "
            "or --label-nc with --dont-care or --no-dont-care and --edges or --no-edges"
        )
    given = f"label_nc {hints.label_nc}, dont_care {hints.dont_care}, instance_edges {hints.instance_edges}"
    raise CheckpointError(f"{where}: it has {channels} semantic channels, which does not fit {given}")


def _possible_upsamplings(
    has_last_block: bool, start_area: int | None, height: int, width: int
) -> Sequence[Upsampling]:
    """What the tensors leave open: `most` has a block of its own; the first layer after a latent has a fixed size."""
    possible = (Upsampling.MOST,) if has_last_block else (Upsampling.NORMAL, Upsampling.MORE)
    if start_area is None:
        return possible
    return [n for n in possible if (height >> DOUBLINGS[n]) * (width >> DOUBLINGS[n]) == start_area]


def _choose_upsampling(possible: Sequence[Upsampling], hinted: Upsampling | None, where: str) -> Upsampling:
    if not possible:
        raise CheckpointError(f"{where}: tensor fc.weight does not fit the picture size: give --size")
    if hinted is None and len(possible) > 1:
        raise CheckpointError(
            f"{where}: the tensors do not tell upsampling normal from more: give --upsampling, or --dataset"
        )
    if hinted is not None and hinted not in possible:
        raise CheckpointError(f"{where}: its tensors show upsampling {' or '.join(possible)}, not {hinted}")
    return hinted or possible[0]


def _shape(tensors: Mapping[str, Tensor], own: str, ranks: tuple[int, ...], where: str) -> tuple[int, ...]:
    if own not in tensors or tensors[own].ndim not in ranks:
        found = describe(tensors[own]) if own in tensors else "missing"
        raise CheckpointError(f"{where}: not a SPADE generator: tensor {published_name(own)} is {found}")
    return tuple(tensors[own].shape)


def _refuse_other_networks(tensors: Mapping[str, Tensor], where: str) -> None:
    for beginning, what in OTHER_NETWORKS.items():
        if any(name.startswith(beginning) for name in tensors):
            raise CheckpointError(f"{where}: this is {what}")
