"""What runs have come to, to the bit."""

from pathlib import Path
from typing import Any

import torch

from spade.training.checkpoints import read_checkpoint


def state_of(folder: Path) -> dict[str, Any]:
    """What the last checkpoint of a run's folder holds."""
    path = max((folder / "checkpoints").glob("step-*.pt"))
    return read_checkpoint(path, where=str(path))


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Places where two checkpoints differ in type or in any bit; the time that a run took may differ."""
    if type(one) is not type(other):
        return [place]
    if isinstance(one, dict):
        keys = [key for key in {**one, **other} if (place, key) != ("/position", "seconds")]
        return [d for key in keys for d in differences(one.get(key), other.get(key), f"{place}/{key}")]
    if isinstance(one, list | tuple):
        pairs = enumerate(zip(one, other, strict=True))
        return [d for number, (a, b) in pairs for d in differences(a, b, f"{place}/{number}")]
    if isinstance(one, torch.Tensor):
        return [] if torch.equal(one, other) else [place]
    return [] if one == other else [place]
