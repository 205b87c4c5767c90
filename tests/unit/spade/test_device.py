import os
from pathlib import Path

import pytest
import torch

from spade.cpus import usable_cpus
from spade.device import device_title, pick_device
from spade.errors import DeviceError


def test_the_device_is_picked_by_name_or_by_what_there_is() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert pick_device("auto") == torch.device(best)


def test_a_device_is_told_by_what_it_is() -> None:
    assert device_title(torch.device("cpu")) == "cpu"
    if torch.cuda.is_available():
        told = f"cuda:0 {torch.cuda.get_device_name(0)}"
        assert {device_title(torch.device(name)) for name in ("cuda", "cuda:0")} == {told}


def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(DeviceError, match="'tpu'; choose one of auto, cpu, cuda, mps"):
        pick_device("tpu")
    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(DeviceError, match=f"'{absent}' was asked for, but this machine .* only: .*cpu"):
        pick_device(absent)


@pytest.mark.parametrize(
    ("limit", "expected"), [("max 100000", None), ("100000 100000", 1), ("50000 100000", 1), ("150000 100000", 2)]
)
def test_threads_are_as_many_as_the_container_is_given(tmp_path: Path, limit: str, expected: int | None) -> None:
    unlimited = usable_cpus(tmp_path)  # there is no such file
    assert unlimited == len(os.sched_getaffinity(0))
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    assert usable_cpus(tmp_path) == min(unlimited, expected or unlimited)
