"""Judges: each looks at pictures batch by batch and in the end tells its metrics.

B batch, H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import torch
from torch import Tensor

from spade.evaluation.confusion import ConfusionMatrix, SegmentationScores
from spade.evaluation.features import FeatureSource
from spade.evaluation.frechet import FeatureStatistics, frechet_distance
from spade.evaluation.kernel_distance import FeatureSample, KernelSubsets, kernel_distance
from spade.evaluation.picture_folder import Predictions
from spade.evaluation.report import LeftOut, Metric
from spade.evaluation.scored_classes import ScoredClasses
from spade.evaluation.segmenter import Segmenter, predict

KEPT_FEATURES = 10_000
"""Pictures, at most, whose features are kept for KID: 80 MB of Inception's. FID looks at all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Generated pictures, with what belongs to them where it is known."""

    names: tuple[str, ...]
    generated: Tensor
    """(B, 3, H, W) in [-1, 1]."""
    photographs: Tensor | None = None
    """(B, 3, H, W) in [-1, 1]."""
    labels: Tensor | None = None
    """(B, H, W), int64, what the generated pictures should show."""
    restyled: Tensor | None = None
    """(B, 3, H, W) in [-1, 1], generated from the same label maps in another style."""
    reconstructed: Tensor | None = None
    """(B, 3, H, W) in [-1, 1], generated in the style that the model's encoder reads in the photographs."""


class Judge(Protocol):
    """One way to look at pictures."""

    def see_reference(self, photographs: Tensor) -> None:
        """Photographs (B, 3, H, W) in [-1, 1] of the set that FID and KID compare with."""
        ...

    def see(self, batch: Batch) -> None:
        """Generated pictures."""
        ...

    def results(self) -> Sequence[Metric | LeftOut]:
        """After all pictures. Raises ConfigError: where there were too few."""
        ...


class DistributionJudge:
    """FID and KID by the features of one source; pictures need not belong together."""

    def __init__(self, source: FeatureSource, *, suffix: str, subsets: KernelSubsets) -> None:
        """`suffix` tells features other than Inception's: empty, or as in ` (segmenter features)`."""
        self._source = source
        self._suffix = suffix
        self._subsets = subsets
        self._statistics = [FeatureStatistics(source.dimension) for _ in range(2)]
        self._samples = [FeatureSample(KEPT_FEATURES, seed=subsets.seed) for _ in range(2)]

    def see_reference(self, photographs: Tensor) -> None:
        self._add(0, photographs)

    def see(self, batch: Batch) -> None:
        self._add(1, batch.generated)

    def results(self) -> Sequence[Metric | LeftOut]:
        real, fake = self._statistics
        if min(real.count, fake.count) < 2:
            reason = f"{real.count} photographs and {fake.count} generated pictures; two of each are needed"
            return [LeftOut(title=f"{metric}{self._suffix}", reason=reason) for metric in ("FID", "KID")]
        counts = {"reference": real.count, "generated": fake.count, "features": self._source.dimension}
        kid = kernel_distance(self._samples[0].features(), self._samples[1].features(), self._subsets)
        fid = Metric(
            name=f"fid{self._name}",
            title=f"FID{self._suffix}",
            value=frechet_distance(real, fake),
            higher_is_better=False,
            details=counts,
        )
        details = {"deviation": kid.deviation, "subsets": kid.subsets, "subset_size": kid.subset_size}
        return [
            fid,
            Metric(
                name=f"kid{self._name}",
                title=f"KID{self._suffix}",
                value=kid.mean,
                higher_is_better=False,
                details=details,
            ),
        ]

    @property
    def _name(self) -> str:
        return "_segmenter" if self._suffix else ""

    def _add(self, side: int, pictures: Tensor) -> None:
        features = self._source(pictures)
        self._statistics[side].update(features)
        self._samples[side].update(features)


class PairDistance(Protocol):
    """How different pictures are, pair by pair."""

    def __call__(self, pictures: Tensor, others: Tensor, /) -> Tensor:
        """Distances (B,) of two batches (B, 3, H, W) in [-1, 1]."""
        ...


class Pairs(StrEnum):
    """Which two pictures of a label map are compared."""

    PHOTOGRAPH = "photograph"
    """The generated picture and the photograph."""
    DIVERSITY = "diversity"
    """The generated pictures of two styles."""
    RECONSTRUCTION = "reconstruction"
    """The photograph, and what is generated in the style that the encoder reads in it."""

    def of(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """The two sides, each (B, 3, H, W), or None where the batch lacks one."""
        sides = {
            Pairs.PHOTOGRAPH: (batch.generated, batch.photographs),
            Pairs.DIVERSITY: (batch.generated, batch.restyled),
            Pairs.RECONSTRUCTION: (batch.reconstructed, batch.photographs),
        }
        one, other = sides[self]
        return None if one is None or other is None else (one, other)


class PairJudge:
    """The mean distance of the two pictures of each label map."""

    def __init__(self, distance: PairDistance, pairs: Pairs, *, name: str, title: str) -> None:
        self._distance, self.pairs = distance, pairs
        self._name, self._title = name, title
        self._sum, self._sum_of_squares, self._count = 0.0, 0.0, 0

    def see_reference(self, photographs: Tensor) -> None:
        """Not of interest: pairs come by `see`."""

    @torch.inference_mode()
    def see(self, batch: Batch) -> None:
        pair = self.pairs.of(batch)
        if pair is not None:
            distances = self._distance(*pair).cpu().double()  # MPS has no float64
            self._sum += distances.sum().item()
            self._sum_of_squares += distances.square().sum().item()
            self._count += len(distances)

    def results(self) -> Sequence[Metric | LeftOut]:
        if not self._count:
            return [LeftOut(title=self._title, reason="there are no photographs of the same label maps")]
        mean = self._sum / self._count
        variance = max(0.0, self._sum_of_squares / self._count - mean * mean)
        details = {"deviation": variance**0.5, "pairs": self._count}
        better = self.pairs is Pairs.DIVERSITY
        return [Metric(name=self._name, title=self._title, value=mean, higher_is_better=better, details=details)]


class SegmentationJudge:
    """Mean IoU and pixel accuracy of what a segmenter sees in generated pictures, against their label maps.

    The same of the photographs, where there are any, tells how far to trust the segmenter.
    """

    def __init__(self, segmenter: Segmenter, classes: ScoredClasses) -> None:
        self._segmenter = segmenter
        self._titles = classes.titles
        config = segmenter.config
        self._generated, self._photographs = (
            ConfusionMatrix(config.classes, ignored_id=config.ignored_id) for _ in range(2)
        )

    def see_reference(self, photographs: Tensor) -> None:
        """Not of interest: label maps come by `see`."""

    def see(self, batch: Batch) -> None:
        if batch.labels is None:
            return
        self._generated.update(batch.labels, predict(self._segmenter, batch.generated))
        if batch.photographs is not None:
            self._photographs.update(batch.labels, predict(self._segmenter, batch.photographs))

    def results(self) -> Sequence[Metric | LeftOut]:
        results = segmentation_metrics(self._generated.scores(), self._titles, of="")
        of_photographs = self._photographs.scores()
        if of_photographs.pixels:
            results += segmentation_metrics(of_photographs, self._titles, of="photographs")
            results += _against_photographs(self._generated.scores(), of_photographs)
        return results


class PredictionJudge:
    """Mean IoU and pixel accuracy of label maps that another segmenter made of the generated pictures."""

    def __init__(self, predictions: Predictions, classes: ScoredClasses) -> None:
        self._predictions = predictions
        self._titles = classes.titles
        self._confusion = ConfusionMatrix(classes.count, ignored_id=classes.ignored_id)

    def see_reference(self, photographs: Tensor) -> None:
        """Not of interest: label maps come by `see`."""

    def see(self, batch: Batch) -> None:
        if batch.labels is not None:
            height, width = batch.labels.shape[-2:]
            self._confusion.update(batch.labels.cpu(), self._predictions.read(batch.names, height, width))

    def results(self) -> Sequence[Metric | LeftOut]:
        return segmentation_metrics(self._confusion.scores(), self._titles, of="")


def _against_photographs(generated: SegmentationScores, photographs: SegmentationScores) -> list[Metric]:
    """The mIoU of generated pictures as a part of that of photographs, which the segmenter bounds."""
    if not photographs.mean_iou:
        return []
    ratio = generated.mean_iou / photographs.mean_iou
    title = "mIoU, as a part of the photographs'"
    return [Metric(name="miou_ratio", title=title, value=ratio, higher_is_better=True, percent=True)]


def segmentation_metrics(scores: SegmentationScores, names: Sequence[str], *, of: str) -> list[Metric | LeftOut]:
    """Mean IoU and pixel accuracy; `of` names other pictures than the generated ones."""
    title, name = (f" of the {of}", f"_{of}") if of else ("", "")
    if not scores.pixels:
        reason = "no pixel of the label maps has a known class"
        return [LeftOut(title=f"{metric}{title}", reason=reason) for metric in ("mIoU", "pixel accuracy")]
    iou = dict(zip(names, scores.iou, strict=True))
    details = {"pixels": scores.pixels, "classes_present": scores.classes_present}
    return [
        Metric(
            name=f"miou{name}",
            title=f"mIoU{title}",
            value=scores.mean_iou,
            higher_is_better=True,
            percent=True,
            details=details | {"iou": iou},
        ),
        Metric(
            name=f"accuracy{name}",
            title=f"pixel accuracy{title}",
            value=scores.pixel_accuracy,
            higher_is_better=True,
            percent=True,
            details=details,
        ),
    ]
