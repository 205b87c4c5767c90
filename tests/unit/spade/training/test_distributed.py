"""A process that trains alone, and what is said of others that are gone. Several: tests/integration/training."""

import pytest
import torch
from torch import nn

from spade.errors import ConfigError
from spade.training.distributed import joined_processes, lost_processes_told
from spade.training.errors import ProcessLostError


def test_without_torchrun_a_process_is_alone_and_first() -> None:
    with joined_processes({}, "cpu") as processes:
        module = nn.Linear(1, 1)
        assert (processes.rank, processes.count, processes.is_first) == (0, 1, True)
        assert processes.wrap(module) is module
        assert processes.any(True)
        assert not processes.any(False)
        assert processes.from_first("this") == "this"
        assert processes.mean(torch.tensor([1.0, 3.0])).tolist() == [1.0, 3.0]


def test_variables_that_are_no_numbers_are_named() -> None:
    with (
        pytest.raises(ConfigError, match="environment variable WORLD_SIZE is 'many'"),
        joined_processes({"RANK": "0", "WORLD_SIZE": "many"}, "cpu"),
    ):
        pass


@pytest.mark.parametrize(
    "message", ["[tcp/pair.cc:553] Connection closed by peer [127.0.0.1]", "Connection reset by peer"]
)
def test_a_process_that_is_gone_is_told_in_one_line(message: str) -> None:
    with (
        pytest.raises(ProcessLostError, match="process 3: another process of this training ended"),
        lost_processes_told(3),
    ):
        raise RuntimeError(message)
    with pytest.raises(RuntimeError, match="something else"), lost_processes_told(3):
        raise RuntimeError("something else")
