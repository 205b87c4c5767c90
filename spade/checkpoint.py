"""Weights files: safetensors, with the architecture as JSON under the metadata key `config`."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from spade.config import GeneratorConfig
from spade.errors import CheckpointError, ConfigError
from spade.files import written_whole
from spade.generator import SpadeGenerator

CONFIG_KEY = "config"

_DTYPES = {torch.float32: "F32", torch.int64: "I64"}
"""The types that weights and buffers have, as the format calls them."""


def save_generator(path: str | os.PathLike[str], generator: SpadeGenerator) -> None:
    """Writes weights, buffers (those of spectral norm too, so that training can go on) and config, at one stroke.

    Raises CheckpointError: where the file cannot be written.
    """
    save_tensors(Path(path), generator.state_dict(), generator.config)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], config: GeneratorConfig) -> None:
    """Writes `tensors`, a generator's state under its own keys, as `save_generator` does.

    The same tensors and config always make the same bytes, so that a digest can be pinned. (The safetensors library
    has a writer of its own, which leaves the order of bytes open, copies all tensors, and when it is killed leaves a
    file of unforeseeable name.)

    Raises CheckpointError: where the file cannot be written, or a tensor has a type that weights do not have.
    """
    try:
        # The widest types first, so that every tensor is aligned.
        order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
        header = _header({name: tensors[name] for name in order}, config)
    except KeyError as error:
        raise CheckpointError(f"{path}: tensors of {error.args[0]} are not written, only float32 and int64") from error
    try:
        with written_whole(path) as partial, partial.open("wb") as file:
            file.write(len(header).to_bytes(8, "little"))
            file.write(header)
            for name in order:
                file.write(tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror}") from error


def _header(tensors: Mapping[str, Tensor], config: GeneratorConfig) -> bytes:
    """The JSON header of the safetensors format: metadata, then type, shape and place of every tensor."""
    entries: dict[str, Any] = {"__metadata__": {CONFIG_KEY: json.dumps(config.to_dict(), sort_keys=True)}}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        entries[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    header = json.dumps(entries, separators=(",", ":")).encode()
    return header.ljust((len(header) + 7) // 8 * 8)


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
