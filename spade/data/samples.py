"""What datasets give and what training takes. B batch, H W pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spade.data.errors import DatasetError


@dataclass(frozen=True, slots=True)
class SampleKey:
    """Which sample, in which epoch: with the dataset's seed this settles every crop and flip."""

    epoch: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One label map, with what belongs to it."""

    labels: NDArray[np.int64] | NDArray[np.float32]
    """(H, W) class ids; or (3, H, W) in [-1, 1], RGB, where the input is pictures (label_nc 0)."""
    instances: NDArray[np.int64] | None
    """(H, W); only equality of values means something."""
    picture: NDArray[np.float32] | None
    """(3, H, W) in [-1, 1], RGB."""
    name: str
    """Unlike any other of its dataset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelBatch:
    """Label maps without pictures: what a generator reads."""

    labels: Tensor
    """(B, H, W) int64 class ids; or (B, 3, H, W) float32 in [-1, 1], where the input is pictures (label_nc 0)."""
    instances: Tensor | None
    """(B, H, W) int64, or None where the dataset has none."""
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: torch.device) -> Self:
        """The batch on `device`; from pinned memory the copy runs beside other work."""
        return type(self)(**{name: _to(getattr(self, name), device) for name in self.__dataclass_fields__})

    def pin_memory(self) -> Self:
        """The batch in page-locked memory; torch's loader calls this."""
        return type(self)(**{name: _pin(getattr(self, name)) for name in self.__dataclass_fields__})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBatch(LabelBatch):
    """Label maps with their pictures."""

    pictures: Tensor
    """(B, 3, H, W) float32 in [-1, 1], RGB."""


def collate_labels(samples: Sequence[Sample]) -> LabelBatch:
    """Raises DatasetError: where the samples are of different sizes, or only some have an instance map."""
    labels, instances = _stack_maps(samples)
    return LabelBatch(labels=labels, instances=instances, names=tuple(sample.name for sample in samples))


def collate_training(samples: Sequence[Sample]) -> TrainingBatch:
    """Raises DatasetError: as `collate_labels`, and where a sample has no picture."""
    labels, instances = _stack_maps(samples)
    pictures = []
    for sample in samples:
        if sample.picture is None:
            raise DatasetError(f"{sample.name}: there is no picture, which training needs")
        pictures.append(torch.from_numpy(sample.picture))
    return TrainingBatch(
        labels=labels,
        instances=instances,
        pictures=torch.stack(pictures),
        names=tuple(sample.name for sample in samples),
    )


def _stack_maps(samples: Sequence[Sample]) -> tuple[Tensor, Tensor | None]:
    first = samples[0]
    for sample in samples:
        if sample.labels.shape != first.labels.shape:
            sizes = [f"{one.name} is {one.labels.shape[-1]}x{one.labels.shape[-2]}" for one in (first, sample)]
            raise DatasetError(
                f"samples of one batch must be of one size, but {' and '.join(sizes)}: "
                "choose a preprocess mode that crops, or fixed, or a batch size of 1"
            )
    labels = torch.stack([torch.from_numpy(sample.labels) for sample in samples])
    maps = [torch.from_numpy(sample.instances) for sample in samples if sample.instances is not None]
    if maps and len(maps) < len(samples):
        raise DatasetError(f"only {len(maps)} of {len(samples)} samples of one batch have an instance map")
    return labels, torch.stack(maps) if maps else None


def _to(value: Any, device: torch.device) -> Any:  # noqa: ANN401 - tensors move, names stay
    return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value


def _pin(value: Any) -> Any:  # noqa: ANN401
    return value.pin_memory() if isinstance(value, Tensor) else value
