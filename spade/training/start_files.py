"""Trained weights from files of every kind that there is, under the names that our networks have."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from spade.checkpoint import load_encoder, load_generator
from spade.config import GeneratorConfig
from spade.errors import CheckpointError, SpadeError
from spade.pix2pixhd import Pix2PixHDConfig, Pix2PixHDGenerator
from spade.published import (
    own_discriminator_name,
    own_encoder_name,
    published_discriminator_name,
    published_encoder_name,
    published_name,
    published_pix2pixhd_name,
)
from spade.published_import import as_float, read_published_generator
from spade.training.checkpoint_store import S3_SCHEME
from spade.training.finished import read_trained_run
from spade.training.networks import Networks
from spade.weights import read_tensors

FindVersion = Callable[[str], Path]
"""The weights file of a model, `name` or `name@version`. Raises SpadeError: where there is none."""

_VERSION = re.compile(r"[a-z0-9][a-z0-9-]*(@[0-9.]+)?")
_GENERATOR_MARK = "_net_G."
_LATEST = "latest_net_G.pth"
_MODEL = "model.safetensors"
_ENCODER = "encoder.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedNetwork:
    """The weights of one network."""

    file: Path
    tensors: Mapping[str, Tensor]
    """Under our names."""
    spoken_name: Callable[[str], str] = str
    """What the file calls a tensor of ours."""
    config: GeneratorConfig | Pix2PixHDConfig | None = None
    """Of a generator, where the file tells."""


TrainedNetworks = Mapping[str, TrainedNetwork]
"""Those that there are of `generator`, `discriminator` and `encoder`."""


def read_trained_networks(weights: str, networks: Networks, find_version: FindVersion | None) -> TrainedNetworks:
    """What lies at `weights`, as `StartConfig` has it; `networks` are those that it is for.

    Raises CheckpointError: where there is nothing, or it cannot be used.
    """
    path = _chosen(_existing(weights, find_version))
    if path.suffix == ".safetensors":
        return _own_files(path)
    if path.suffix == ".pth":
        return _published(path, networks)
    run = read_trained_run(str(path), {})
    found = {
        name: TrainedNetwork(file=Path(run.place), tensors=network.state_dict())
        for name, network in run.networks.named()
    }
    generator_of_run = TrainedNetwork(
        file=Path(run.place),
        tensors=run.networks.generator.state_dict(),
        config=run.networks.generator.config,
    )
    return found | {"generator": generator_of_run}


def _own_files(path: Path) -> TrainedNetworks:
    """A generator's file of ours and, where it is a model's, the encoder's beside it."""
    generator = load_generator(path)
    found = {"generator": TrainedNetwork(file=path, tensors=generator.state_dict(), config=generator.config)}
    encoder = path.with_name(_ENCODER)
    if path.name == _MODEL and encoder.is_file():
        found["encoder"] = TrainedNetwork(file=encoder, tensors=load_encoder(encoder).state_dict())
    return found


def _existing(weights: str, find_version: FindVersion | None) -> Path:
    path = Path(weights).expanduser()
    if path.exists():
        return path
    if weights.startswith(S3_SCHEME):
        command = f"spade export run {weights} -o FILE.safetensors"
        raise CheckpointError(f"{weights}: bring the weights here first: {command}")
    if find_version is None or not _VERSION.fullmatch(weights):
        raise CheckpointError(f"{weights}: there is no such file or folder to start from")
    try:
        return find_version(weights)
    except SpadeError as error:
        raise CheckpointError(f"{weights}: there is no such file or folder to start from, and {error}") from error


def _chosen(path: Path) -> Path:
    """The file in a folder of published files or of a model; a run's folder stays as it is."""
    if not path.is_dir():
        return path
    if (path / _MODEL).is_file():
        return path / _MODEL
    generators = sorted(path.glob(f"*{_GENERATOR_MARK}pth"))
    if (path / _LATEST) in generators:
        return path / _LATEST
    if len(generators) > 1:
        names = ", ".join(file.name for file in generators)
        raise CheckpointError(f"{path}: it holds several generators; name one of {names}")
    return generators[0] if generators else path


def _published(path: Path, networks: Networks) -> TrainedNetworks:
    """The generator's file, and those of discriminator and encoder that lie beside it."""
    found = {"generator": _published_generator(path, networks)}
    layers = networks.discriminator.config.layers
    beside: list[tuple[str, str, Callable[[str], str], Callable[[str], str]]] = [
        ("discriminator", "D", own_discriminator_name, lambda own: published_discriminator_name(own, layers=layers)),
        ("encoder", "E", own_encoder_name, published_encoder_name),
    ]
    for network, letter, own, spoken in beside:
        file = path.with_name(path.name.replace(_GENERATOR_MARK, f"_net_{letter}."))
        if file != path and file.is_file():
            tensors = {own(name): as_float(tensor) for name, tensor in read_tensors(file).items()}
            found[network] = TrainedNetwork(file=file, tensors=tensors, spoken_name=spoken)
    return found


def _published_generator(path: Path, networks: Networks) -> TrainedNetwork:
    generator = networks.generator
    if not isinstance(generator, Pix2PixHDGenerator):
        return TrainedNetwork(file=path, tensors=read_published_generator(path), spoken_name=published_name)
    config = generator.config
    own_names = {published_pix2pixhd_name(own, config): own for own in generator.state_dict()}
    tensors = {own_names.get(name, name): as_float(tensor) for name, tensor in read_tensors(path).items()}
    return TrainedNetwork(file=path, tensors=tensors, spoken_name=lambda own: published_pix2pixhd_name(own, config))
