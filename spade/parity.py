"""Holds our networks against numbers recorded from the published code.

A parity file is a safetensors file with the published options as JSON under the metadata key `options`, and tensors
whose first part says what they are: `in` inputs, `state` weights, `eval` outputs in evaluation mode, `train` and
`after` one training iteration.
"""

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from spade.checkpoint import build_generator, describe
from spade.errors import ParityError, SpadeError
from spade.labels import semantics_from_labels
from spade.published import config_from_options, own_name, published_name

Options = Mapping[str, Any]
Tensors = Mapping[str, Tensor]

TOLERANCE = 1e-4
"""Largest absolute difference that evaluation outputs may have."""

GROUPS_NOT_COVERED = {
    "eval.D.": "discriminator outputs",
    "eval.E.": "encoder outputs",
    "train.": "losses of a training iteration",
    "after.": "weights after a training iteration",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorCheck:
    """One recorded tensor against ours. `difference` is the largest absolute one, inf where shapes differ or NaN."""

    tensor: str
    difference: float
    tolerance: float
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.difference <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityReport:
    """What came of one file; `not_covered` are groups of tensors that were not looked at, and why."""

    file: str
    checks: tuple[TensorCheck, ...]
    not_covered: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def verify_parity(path: str | os.PathLike[str]) -> ParityReport:
    """Recomputes what the file records of preprocessing and, for `netG=spade`, of the generator, on the CPU in float32.

    Raises ParityError: where the file cannot be read or a tensor that a check needs is missing.
    """
    file = os.fspath(path)
    options, tensors = _read(file)
    generates = options.get("netG") == "spade"
    not_covered = [f"{prefix}*: {what}" for prefix, what in GROUPS_NOT_COVERED.items() if _has(tensors, prefix)]
    checks: dict[str, Callable[[Options, Tensors], Tensor]] = {"in.semantics": our_semantics}
    if generates:
        checks["eval.fake"] = our_fake
    else:
        not_covered.insert(0, f"eval.fake, state.G.*: generator netG={options.get('netG')}")
    try:
        done = tuple(_compare(name, tensors, ours(options, tensors)) for name, ours in checks.items())
    except KeyError as error:
        raise ParityError(f"{file}: {error.args[0]} is missing, in its options or its tensors") from error
    except SpadeError as error:
        raise ParityError(f"{file}: {error}") from error
    return ParityReport(file=file, checks=done, not_covered=tuple(not_covered))


def our_semantics(options: Options, tensors: Tensors) -> Tensor:
    """(B, K, H, W) from the recorded label and instance maps, (B, 1, H, W)."""
    maps = {name: tensors[name] for name in ("in.label", "in.instance")}
    for name, recorded in maps.items():
        if recorded.ndim != 4 or recorded.shape[1] != 1:
            raise ParityError(f"tensor {name} is {describe(recorded)}, expected (B, 1, H, W)")
    return semantics_from_labels(
        maps["in.label"][:, 0],
        maps["in.instance"][:, 0],
        label_nc=options["label_nc"],
        dont_care=options["contain_dontcare_label"],
        instance_edges=not options["no_instance"],
    )


@torch.inference_mode()
def our_fake(options: Options, tensors: Tensors) -> Tensor:
    """(B, 3, H, W) from our semantics, so that preprocessing and network are held together, and recorded weights."""
    state = {
        own_name(name.removeprefix("state.G.")): value for name, value in tensors.items() if name.startswith("state.G.")
    }
    config = config_from_options(options)
    generator = build_generator(config, state, where="state.G", spoken_name=published_name)
    z = tensors["eval.z"] if config.latent_dim is not None else None
    fake: Tensor = generator(our_semantics(options, tensors), z)
    return fake


def _compare(name: str, tensors: Tensors, ours: Tensor) -> TensorCheck:
    recorded = tensors[name]
    if recorded.shape != ours.shape:
        detail = f"recorded {tuple(recorded.shape)}, ours {tuple(ours.shape)}"
        return TensorCheck(tensor=name, difference=float("inf"), tolerance=TOLERANCE, detail=detail)
    difference = (recorded.double() - ours.double()).abs().max().item()
    if math.isnan(difference):
        return TensorCheck(tensor=name, difference=float("inf"), tolerance=TOLERANCE, detail="not a number")
    return TensorCheck(tensor=name, difference=difference, tolerance=TOLERANCE)


def _has(tensors: Tensors, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in tensors)


def _read(file: str) -> tuple[Options, Tensors]:
    try:
        with safe_open(file, framework="pt") as opened:
            options = json.loads((opened.metadata() or {}).get("options", "null"))
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError as error:
        raise ParityError(f"{file}: there is no such file") from error
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise ParityError(f"{file}: not a readable parity file: {error}") from error
    if not isinstance(options, dict):
        raise ParityError(f"{file}: not a parity file: its metadata has no options")
    return options, tensors
