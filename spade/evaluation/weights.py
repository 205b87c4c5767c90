"""Weights of published networks from local files: read without running code, fitted by name, told by their digest."""

import hashlib
import os
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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


def read_tensors(path: str | os.PathLike[str]) -> Mapping[str, Tensor]:
    """The tensors of a `.safetensors` file or a state dictionary saved by torch, on the CPU, by their names.

    Raises CheckpointError: where the file is missing, damaged, or holds anything but tensors.
    """
    where = os.fspath(path)
    try:
        if where.endswith(".safetensors"):
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd pickles, which are refused or read all the same
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{where}: {error.strerror or error}") from error
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{where}: not a readable file of weights: {reason}") from error
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise CheckpointError(f"{where}: it holds something other than named tensors")
    return tensors


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
