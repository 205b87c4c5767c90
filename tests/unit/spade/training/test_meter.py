"""Metrics are means over the steps since the last line."""

from collections.abc import Callable

import pytest
import torch

from spade.training.config import TrainingConfig
from spade.training.distributed import Processes
from spade.training.meter import Meter
from spade.training.state import RunState


def test_a_loss_that_only_some_steps_have_is_a_mean_over_those(
    tiny_config: TrainingConfig, state_of: Callable[[TrainingConfig], RunState]
) -> None:
    state = state_of(tiny_config)
    meter = Meter(Processes(device=torch.device("cpu")))
    for losses in ({"GAN": 4.0, "D_real": 1.0}, {"D_real": 2.0}):
        meter.add({name: torch.tensor(loss) for name, loss in losses.items()}, epoch=1, pictures=2, seconds=0.5)
    metrics = meter.read(state.position, state.optimizers)
    assert metrics.losses == {"GAN": 4.0, "D_real": 1.5}
    assert metrics.images_per_second == pytest.approx(4.0)
    assert meter.is_empty
