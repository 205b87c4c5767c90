"""Weights files: safetensors, with the architecture as JSON under the metadata key `config`."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from spade.config import GeneratorConfig
from spade.errors import CheckpointError, ConfigError
from spade.files import written_whole
from spade.generator import SpadeGenerator

CONFIG_KEY = "config"


def save_generator(path: str | os.PathLike[str], generator: SpadeGenerator) -> None:
    """Writes weights, buffers (those of spectral norm too, so that training can go on) and config, at one stroke.

    Raises CheckpointError: where the file cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in generator.state_dict().items()}
    save_tensors(Path(path), tensors, generator.config)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], config: GeneratorConfig) -> None:
    """Writes `tensors`, a generator's state under its own keys, as `save_generator` does.

    Raises CheckpointError: where the file cannot be written.
    """
    metadata = {CONFIG_KEY: json.dumps(config.to_dict(), sort_keys=True)}
    try:
        with written_whole(path) as partial:
            save_file(dict(tensors), partial, metadata=metadata)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be written: {error}") from error


def load_generator(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> SpadeGenerator:
    """Reads what `save_generator` wrote; returns the generator in evaluation mode on `device`.

    On the CPU the weights are mapped from the file rather than copied.

    Raises CheckpointError: where the file is missing, damaged, has no config, or its tensors do not fit the config;
    it names the first tensor that does not.
    """
    where = os.fspath(path)
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            config = _config_from_metadata(file.metadata() or {}, where)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError as error:
        raise CheckpointError(f"{where}: there is no such file") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{where}: not a readable safetensors file: {error}") from error
    return build_generator(config, tensors, where=where)


def build_generator(
    config: GeneratorConfig,
    tensors: Mapping[str, Tensor],
    *,
    where: str,
    spoken_name: Callable[[str], str] = str,
) -> SpadeGenerator:
    """A generator in evaluation mode that holds exactly `tensors` (not copies), under its own keys.

    Raises CheckpointError: that names `where` and, as `spoken_name` calls it, the first tensor which is missing,
    unexpected, or of another shape or type.
    """
    generator = empty_generator(config)
    expected = generator.state_dict()
    for name, blank in expected.items():
        if name not in tensors:
            raise CheckpointError(f"{where}: tensor {spoken_name(name)} is missing; expected {describe(blank)}")
        if describe(tensors[name]) != describe(blank):
            found = describe(tensors[name])
            raise CheckpointError(f"{where}: tensor {spoken_name(name)} is {found}, expected {describe(blank)}")
    unexpected = next((name for name in tensors if name not in expected), None)
    if unexpected is not None:
        raise CheckpointError(f"{where}: tensor {spoken_name(unexpected)} has no place in this architecture")
    generator.load_state_dict(dict(tensors), strict=True, assign=True)
    return generator.eval()


def empty_generator(config: GeneratorConfig) -> SpadeGenerator:
    """A generator whose tensors have shapes but no memory, to be given weights with `assign=True`."""
    with torch.device("meta"):
        return SpadeGenerator(config)


def describe(tensor: Tensor) -> str:
    """Type and shape of a tensor, as in `float32 (64, 128, 3, 3)`."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _config_from_metadata(metadata: Mapping[str, str], where: str) -> GeneratorConfig:
    if CONFIG_KEY not in metadata:
        raise CheckpointError(
            f"{where}: it holds no generator config; convert published .pth files by `spade import-published`"
        )
    try:
        return GeneratorConfig.from_dict(json.loads(metadata[CONFIG_KEY]), where=f"{where}: config")
    except (json.JSONDecodeError, ConfigError) as error:
        raise CheckpointError(f"{where}: its config cannot be used: {error}") from error
