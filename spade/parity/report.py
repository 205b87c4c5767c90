"""What came of comparing recorded tensors with ours."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorCheck:
    """One recorded tensor against ours; `difference` is inf where shapes differ or something is not a number."""

    tensor: str
    difference: float
    tolerance: float
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.difference <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityReport:
    """What came of one file."""

    file: str
    checks: tuple[TensorCheck, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def worst_by_group(checks: Sequence[TensorCheck]) -> list[TensorCheck]:
    """The checks, with those of the states after training replaced by the worst one of each network and tolerance."""
    single = [check for check in checks if not check.tensor.startswith("after.")]
    groups: dict[str, list[TensorCheck]] = {}
    for check in checks:
        if check.tensor.startswith("after."):
            network = check.tensor.removeprefix("after.").removeprefix("sum_l2.").partition(".")[0]
            kind = "steps without a gradient" if check.detail and check.passed else "tensors"
            groups.setdefault(f"after.{network}: {kind}", []).append(check)
    worst = [
        dataclasses.replace(
            max(group, key=lambda check: check.difference / check.tolerance), tensor=f"{name} ({len(group)})"
        )
        for name, group in groups.items()
    ]
    return [*single, *worst]


def compare_values(
    name: str, recorded: Tensor, ours: Tensor, *, tolerance: float, relative: bool = False
) -> TensorCheck:
    """By the largest absolute difference, or (`relative`) by that divided by the largest recorded magnitude."""
    if recorded.shape != ours.shape:
        return _unlike(name, recorded, ours, tolerance)
    difference = (recorded.double() - ours.double()).abs().max().item()
    if relative:
        difference /= max(recorded.double().abs().max().item(), 1e-30)
    return _check(name, difference, tolerance)


def compare_norms(name: str, recorded: Tensor, ours: Tensor, *, tolerance: float) -> TensorCheck:
    """By the Euclidean norm of the difference, divided by that of the recorded tensor."""
    if recorded.shape != ours.shape:
        return _unlike(name, recorded, ours, tolerance)
    norm = recorded.double().norm().item()
    difference = (recorded.double() - ours.double()).norm().item()
    return _check(name, difference / norm if norm else difference, tolerance)


def _check(name: str, difference: float, tolerance: float) -> TensorCheck:
    if math.isnan(difference):
        return TensorCheck(tensor=name, difference=math.inf, tolerance=tolerance, detail="not a number")
    return TensorCheck(tensor=name, difference=difference, tolerance=tolerance)


def _unlike(name: str, recorded: Tensor, ours: Tensor, tolerance: float) -> TensorCheck:
    detail = f"recorded {tuple(recorded.shape)}, ours {tuple(ours.shape)}"
    return TensorCheck(tensor=name, difference=math.inf, tolerance=tolerance, detail=detail)
