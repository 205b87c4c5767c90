"""Tiny networks, batches that are the same every time, and datasets that need no files."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from spade.data.samples import Sample, SampleKey, TrainingBatch
from spade.training.config import TrainingConfig
from spade.training.networks import Networks, build_networks
from spade.training.optimizers import build_optimizers
from spade.training.presets import complete_config
from spade.training.state import RunState
from spade.training.step import TrainingStep

SIDE = 64
TINY: dict[str, Any] = {
    "batch_size": 2,
    "workers": 0,
    "device": "cpu",
    "dataset": {"mode": "custom", "root": "nowhere", "label_nc": 3, "dont_care": True, "crop_size": SIDE},
    "generator": {"base_channels": 2, "hidden_channels": 4},
    "discriminator": {"base_channels": 4},
    "init": {"gain": 1.0},
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for one another on a busy machine cost more than they bring."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tiny_config() -> TrainingConfig:
    return complete_config(TINY)


@pytest.fixture
def vae_config() -> TrainingConfig:
    return complete_config(TINY | {"encoder": {"base_channels": 1, "latent_dim": 4}})


class DrawnSamples(Dataset[Sample]):
    """Samples of patches, each settled by its key."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, key: SampleKey) -> Sample:
        random = np.random.default_rng([key.epoch, key.index])
        patches = random.integers(0, 4, (4, 4))
        return Sample(
            labels=np.kron(patches, np.ones((SIDE // 4, SIDE // 4), dtype=np.int64)),
            instances=None,
            picture=random.random((3, SIDE, SIDE), dtype=np.float32) * 2 - 1,
            name=str(key.index),
        )


@pytest.fixture
def drawn_samples() -> Callable[[int], DrawnSamples]:
    return DrawnSamples


@pytest.fixture
def batch() -> TrainingBatch:
    from spade.data.samples import collate_training

    return collate_training([DrawnSamples(2)[SampleKey(1, index)] for index in range(2)])


@pytest.fixture
def networks_of() -> Callable[[TrainingConfig], Networks]:
    """Fresh networks, the same for equal configurations."""

    def build(config: TrainingConfig) -> Networks:
        torch.manual_seed(config.seed)
        return build_networks(config.pix2pixhd or config.generator, config.discriminator, config.encoder, config.init)

    return build


@pytest.fixture
def step_of(networks_of: Callable[[TrainingConfig], Networks]) -> Callable[..., TrainingStep]:
    def build(config: TrainingConfig, **options: Any) -> TrainingStep:
        networks = networks_of(config)
        return TrainingStep(
            networks,
            build_optimizers(networks, config.optimizer),
            semantics=config.generator,
            losses=config.losses,
            config=config.step,
            **options,
        )

    return build


@pytest.fixture
def state_of(networks_of: Callable[[TrainingConfig], Networks]) -> Callable[[TrainingConfig], RunState]:
    """A run before its first step, with an average."""
    from spade.training.ema import AveragedGenerator

    def build(config: TrainingConfig) -> RunState:
        networks = networks_of(config)
        return RunState(
            config=config,
            networks=networks,
            optimizers=build_optimizers(networks, config.optimizer),
            scaler=torch.amp.GradScaler("cpu", enabled=False),
            average=AveragedGenerator(networks.generator, decay=0.9),
            fingerprint="drawn",
        )

    return build
