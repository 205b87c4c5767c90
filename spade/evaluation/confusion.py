"""Pixel accuracy and mean intersection over union of label maps, from a confusion matrix over a whole dataset.

K classes, H W pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from spade.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationScores:
    """Scores in [0, 1] of all pixels that were counted; NaN where there were none."""

    mean_iou: float
    """Mean over the classes that occur in the reference. A class that does not has no IoU and is left out; where it is
    predicted all the same, that counts against the class that the pixel has."""
    pixel_accuracy: float
    """Pixels of the right class / pixels counted."""
    iou: tuple[float | None, ...]
    """Of every class; None where it does not occur in the reference."""
    pixels: int
    """Pixels counted: all but those of the ignored id."""

    @property
    def classes_present(self) -> int:
        """Classes that occur in the reference."""
        return sum(iou is not None for iou in self.iou)


class ConfusionMatrix:
    """Counts of (class in the reference, class predicted) over any number of batches; memory does not grow."""

    def __init__(self, classes: int, *, ignored_id: int | None) -> None:
        self.ignored_id = ignored_id
        self.counts = torch.zeros((classes, classes), dtype=torch.int64)

    def update(self, reference: Tensor, predicted: Tensor) -> None:
        """Adds integer maps of equal shape, (B, H, W) or other.

        Pixels whose reference is the ignored id are passed over. Raises ConfigError: where shapes differ, or an id is
        not one of the classes.
        """
        if reference.shape != predicted.shape:
            raise ConfigError(f"label maps of {tuple(reference.shape)} and {tuple(predicted.shape)} were compared")
        counted = torch.ones_like(reference, dtype=torch.bool)
        if self.ignored_id is not None:
            counted = reference != self.ignored_id
        classes = len(self.counts)
        rows = self._checked(reference[counted], "the reference")
        columns = self._checked(predicted[counted], "the predicted label maps")
        pairs = torch.bincount(rows * classes + columns, minlength=classes * classes)
        self.counts += pairs.reshape(classes, classes).cpu()

    def scores(self) -> SegmentationScores:
        """Of everything so far."""
        counts = self.counts.double()
        right, of_reference, of_predicted = counts.diag(), counts.sum(dim=1), counts.sum(dim=0)
        iou = right / (of_reference + of_predicted - right)
        present = of_reference > 0
        return SegmentationScores(
            mean_iou=iou[present].mean().item(),
            pixel_accuracy=(right.sum() / counts.sum()).item(),
            iou=tuple(value if there else None for value, there in zip(iou.tolist(), present.tolist(), strict=True)),
            pixels=int(self.counts.sum()),
        )

    def _checked(self, ids: Tensor, where: str) -> Tensor:
        if ids.numel():
            low, high = (int(bound) for bound in ids.aminmax())
            if low < 0 or high >= len(self.counts):
                wrong = low if low < 0 else high
                raise ConfigError(f"id {wrong} in {where} is not one of the classes 0..{len(self.counts) - 1}")
        return ids.long()
