"""Weights of published networks from local files: read without running code, fitted by name, told by their digest."""

import hashlib
import os
import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from spade.errors import CheckpointError


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """Which file weights came from, for reports."""

    name: str
    """Of the file, without its folder."""
    sha256: str


def file_digest(path: str | os.PathLike[str]) -> WeightsFile:
    """Raises CheckpointError: where there is no such file or it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return WeightsFile(name=Path(path).name, sha256=hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise CheckpointError(f"{os.fspath(path)}: {error.strerror}") from error


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file or a state dictionary saved by torch, on the CPU, by their names.

    Raises CheckpointError: as `read_torch_file`, and where the file holds anything but tensors by name.
    """
    where = os.fspath(path)
    if where.endswith(".safetensors"):
        return _read_safetensors(where)
    state = read_torch_file(where, where=where)
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f"{where}: it holds {type(state).__name__}, not tensors by name")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(f"{where}: {name!r} is {type(value).__name__}; only tensors by name are expected")
    return state


def read_torch_file(path: str | os.PathLike[str], *, where: str) -> Any:  # noqa: ANN401 - whatever was saved
    """What torch saved, on the CPU, without running any code that the file may hold.

    Raises CheckpointError: where the file, which is called `where`, is missing, damaged, or holds what could run code.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # torch warns of file styles that it then refuses
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{where}: there is no such file") from error
    except Exception as error:  # a file that is no checkpoint leads the unpickler to errors of any kind
        raise CheckpointError(f"{where}: {_why_unreadable(error)}") from error


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, IsADirectoryError | PermissionError):
        return f"cannot be read: {error.strerror}"
    unsafe = re.search(r"GLOBAL (\S+)", str(error))
    if isinstance(error, pickle.UnpicklingError) and unsafe:
        return f"refused: it holds {unsafe[1]}, which is no tensor and could run code on loading"
    return "not a checkpoint that torch can read; it is damaged or something else"


def _read_safetensors(where: str) -> dict[str, Tensor]:
    try:
        return load_file(where)
    except FileNotFoundError as error:
        raise CheckpointError(f"{where}: there is no such file") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{where}: not a readable safetensors file: {error}") from error


def fit(network: nn.Module, tensors: Mapping[str, Tensor], *, where: str, what: str) -> None:
    """Gives `network`, for evaluation only, the tensors of its own names, as float32; others are passed over.

    `what` says in messages what the file should have been.

    Raises CheckpointError: naming the first tensor that is missing or of another shape.
    """
    state = {}
    for name, blank in network.state_dict().items():
        if name.endswith("num_batches_tracked"):  # of no use in evaluation, and absent from older files
            state[name] = torch.tensor(0)
            continue
        found = tensors.get(name)
        if found is None or found.shape != blank.shape:
            shape = "missing" if found is None else f"of shape {tuple(found.shape)}"
            raise CheckpointError(f"{where}: not {what}: tensor {name} is {shape}, expected {tuple(blank.shape)}")
        state[name] = found.to(blank.dtype)
    network.load_state_dict(state, assign=True)
    network.eval().requires_grad_(False)
