"""Small generators, weights that are the same on every machine, and files in the published layout."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from spade.checkpoint import empty_generator
from spade.config import GeneratorConfig
from spade.published import config_from_options, published_name

Recorded = tuple[dict[str, Any], dict[str, Tensor], str]
RECORDED = Path(__file__).parents[2] / "data" / "parity"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def tiny() -> GeneratorConfig:
    """Without a latent, so for any size that is a multiple of 32."""
    return GeneratorConfig(
        label_nc=4, dont_care=True, instance_edges=True, height=32, width=64, base_channels=1, hidden_channels=4
    )


@pytest.fixture
def published_state() -> Callable[[GeneratorConfig], dict[str, Tensor]]:
    """A generator's state under the published names, drawn so that outputs are neither flat nor saturated."""
    return _published_state


@pytest.fixture(params=["ade_like_most_vae_instance", "batchnorm5x5", "cityscapes_like_more", "coco_like_normal"])
def recorded(request: pytest.FixtureRequest) -> Recorded:
    """Each recorded case: options, tensors (with drawn weights) and the digest of the semantics."""
    return _read_recorded(request.param)


@pytest.fixture
def recorded_coco() -> Recorded:
    """The case `coco_like_normal` alone."""
    return _read_recorded("coco_like_normal")


def _read_recorded(name: str) -> Recorded:
    with safe_open(RECORDED / f"{name}.safetensors", framework="pt") as file:
        metadata = json.loads(file.metadata()["recorded"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    state = _published_state(config_from_options(metadata["options"]))
    tensors |= {f"state.G.{name}": tensor for name, tensor in state.items()}
    return metadata["options"], tensors, metadata["semantics_sha256"]


def _published_state(config: GeneratorConfig) -> dict[str, Tensor]:
    blanks = {published_name(name): blank for name, blank in empty_generator(config).state_dict().items()}
    state = {name: _draw(name, blank) for name, blank in blanks.items()}
    for name in [name for name in state if name.endswith("weight_orig")]:
        # What power iteration converges to: the first singular vectors.
        left, _, right = torch.linalg.svd(state[name].flatten(1).double(), full_matrices=False)
        state[name.replace("weight_orig", "weight_u")] = left[:, 0].float()
        state[name.replace("weight_orig", "weight_v")] = right[0].float()
    return state


def _draw(name: str, blank: Tensor) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(1)
    bits = np.random.Philox(key=zlib.crc32(name.encode())).random_raw(blank.numel())
    uniform = torch.from_numpy((bits >> 40).astype(np.float64) * 2**-23 - 1).float().reshape(blank.shape)
    if name.endswith("running_var"):
        return 1 + uniform / 2
    if name.endswith(("bias", "running_mean")):
        return uniform / 5
    return uniform * (3 / blank[0].numel()) ** 0.5
