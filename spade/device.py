"""Choice of the device that a model runs on."""

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


def device_title(device: torch.device) -> str:
    """What a device is called where people choose among machines: `cpu`, `mps`, or `cuda:0 NVIDIA H100`."""
    if device.type != "cuda":
        return device.type
    number = torch.cuda.current_device() if device.index is None else device.index
    return f"cuda:{number} {torch.cuda.get_device_name(number)}"
