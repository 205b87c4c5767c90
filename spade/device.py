"""Choice of the device that a model runs on."""

import math
import os
from pathlib import Path

import torch

from spade.errors import DeviceError

DEVICES = ("auto", "cpu", "cuda", "mps")


def pick_device(name: str) -> torch.device:
    """The device called `name`; `auto` is the first of cuda, mps and cpu that this machine has.

    Raises DeviceError: where the name is unknown or the machine has no such device.
    """
    if name not in DEVICES:
        raise DeviceError(f"there is no device {name!r}; choose one of {', '.join(DEVICES)}")
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, present in available.items() if present)
    if not available[name]:
        present = ", ".join(device for device, there in available.items() if there)
        raise DeviceError(f"device {name!r} was asked for, but this machine (or this torch build) has only: {present}")
    return torch.device(name)


def usable_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """How many CPUs this process may use: those it is bound to, or fewer where its container is given less time.

    More threads than that wait for one another. `cgroup` is where the kernel tells of the container, version 2.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return max(1, min(bound, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return bound
