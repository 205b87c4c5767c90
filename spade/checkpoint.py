"""Weights files: safetensors, with the architecture as JSON under the metadata key `config`."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from spade.config import EncoderConfig, GeneratorConfig
from spade.encoder import ImageEncoder
from spade.errors import CheckpointError, ConfigError
from spade.files import written_whole
from spade.generator import SpadeGenerator

CONFIG_KEY = "config"

Network = TypeVar("Network", SpadeGenerator, ImageEncoder)
Config = TypeVar("Config", GeneratorConfig, EncoderConfig)

_DTYPES = {torch.float32: "F32", torch.int64: "I64"}
"""The types that weights and buffers have, as the format calls them."""
_HALF = "F16"
"""The type that weights of layers may have in files besides."""


def save_network(path: str | os.PathLike[str], network: SpadeGenerator | ImageEncoder, *, half: bool = False) -> None:
    """Writes weights, buffers (those of spectral norm too, so that training can go on) and config, at one stroke.

    `half`: weights of layers are kept in float16, in half the space; biases and buffers stay as they are.

    Raises CheckpointError: where the file cannot be written.
    """
    tensors = network.state_dict()
    if half:
        tensors = {name: _halved(tensor) for name, tensor in tensors.items()}
    save_tensors(Path(path), tensors, network.config)


def _halved(tensor: Tensor) -> Tensor:
    return tensor.half() if _may_be_half(tensor) else tensor


def _may_be_half(tensor: Tensor) -> bool:
    """Weights of layers: what has one dimension, biases and averages, is small, and averages may not fit."""
    return tensor.ndim > 1 and tensor.is_floating_point()


def _is_half(tensor: Tensor) -> bool:
    return tensor.dtype is torch.float16 and _may_be_half(tensor)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], config: GeneratorConfig | EncoderConfig) -> None:
    """Writes `tensors`, a network's state under its own keys, as `save_network` does.

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


def _header(tensors: Mapping[str, Tensor], config: GeneratorConfig | EncoderConfig) -> bytes:
    """The JSON header of the safetensors format: metadata, then type, shape and place of every tensor."""
    entries: dict[str, Any] = {"__metadata__": {CONFIG_KEY: json.dumps(config.to_dict(), sort_keys=True)}}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        dtype = _HALF if _is_half(tensor) else _DTYPES[tensor.dtype]
        entries[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [start, end]}
    header = json.dumps(entries, separators=(",", ":")).encode()
    return header.ljust((len(header) + 7) // 8 * 8)


def load_generator(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> SpadeGenerator:
    """Reads what `save_network` wrote; returns the generator in evaluation mode on `device`, its weights in float32.

    On the CPU float32 weights are mapped from the file rather than copied.

    Raises CheckpointError: where the file is missing, damaged, has no config, or its tensors do not fit the config;
    it names the first tensor that does not.
    """
    where = os.fspath(path)
    values, tensors = _read(where, device)
    config = _config(GeneratorConfig.from_dict, values, where)
    return build_generator(config, tensors, where=where)


def load_encoder(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> ImageEncoder:
    """Reads what `save_network` wrote of an encoder, as `load_generator` does of a generator."""
    where = os.fspath(path)
    values, tensors = _read(where, device)
    return build_encoder(_config(EncoderConfig.from_dict, values, where), tensors, where=where)


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
    return _filled(empty_generator(config), tensors, where=where, spoken_name=spoken_name)


def build_encoder(
    config: EncoderConfig, tensors: Mapping[str, Tensor], *, where: str, spoken_name: Callable[[str], str] = str
) -> ImageEncoder:
    """An encoder, as `build_generator` builds a generator."""
    with torch.device("meta"):
        encoder = ImageEncoder(config)
    return _filled(encoder, tensors, where=where, spoken_name=spoken_name)


def empty_generator(config: GeneratorConfig) -> SpadeGenerator:
    """A generator whose tensors have shapes but no memory, to be given weights with `assign=True`."""
    with torch.device("meta"):
        return SpadeGenerator(config)


def _read(where: str, device: torch.device | str) -> tuple[Mapping[str, Any], dict[str, Tensor]]:
    """The config as a JSON object, and the tensors, those in float16 as float32."""
    try:
        with safe_open(where, framework="pt", device=str(device)) as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError as error:
        raise CheckpointError(f"{where}: there is no such file") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{where}: not a readable safetensors file: {error}") from error
    if CONFIG_KEY not in metadata:
        raise CheckpointError(
            f"{where}: it holds no config of a network; convert published .pth files by `spade import-published`"
        )
    try:
        values: Mapping[str, Any] = json.loads(metadata[CONFIG_KEY])
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{where}: its config cannot be used: {error}") from error
    return values, {name: tensor.float() if _is_half(tensor) else tensor for name, tensor in tensors.items()}


def _config(read: Callable[..., Config], values: Mapping[str, Any], where: str) -> Config:
    try:
        return read(values, where=f"{where}: config")
    except ConfigError as error:
        raise CheckpointError(f"{where}: its config cannot be used: {error}") from error


def _filled(
    network: Network, tensors: Mapping[str, Tensor], *, where: str, spoken_name: Callable[[str], str]
) -> Network:
    expected = network.state_dict()
    for name, blank in expected.items():
        if name not in tensors:
            raise CheckpointError(f"{where}: tensor {spoken_name(name)} is missing; expected {describe(blank)}")
        if describe(tensors[name]) != describe(blank):
            found = describe(tensors[name])
            raise CheckpointError(f"{where}: tensor {spoken_name(name)} is {found}, expected {describe(blank)}")
    unexpected = next((name for name in tensors if name not in expected), None)
    if unexpected is not None:
        raise CheckpointError(f"{where}: tensor {spoken_name(unexpected)} has no place in this architecture")
    network.load_state_dict(dict(tensors), strict=True, assign=True)
    return network.eval()


def describe(tensor: Tensor) -> str:
    """Type and shape of a tensor, as in `float32 (64, 128, 3, 3)`."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
