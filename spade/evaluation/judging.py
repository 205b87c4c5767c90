"""Which judges there can be, from the files that were given; what is left out, and why."""

from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from spade.errors import ConfigError
from spade.evaluation.features import InceptionSource, SegmenterDistance, SegmenterSource
from spade.evaluation.inception import Resize, load_inception
from spade.evaluation.judges import (
    DistributionJudge,
    Judge,
    PairDistance,
    PairJudge,
    Pairs,
    PredictionJudge,
    SegmentationJudge,
)
from spade.evaluation.kernel_distance import KernelSubsets
from spade.evaluation.lpips import Backbone, load_lpips, shipped_judgement
from spade.evaluation.picture_folder import Predictions
from spade.evaluation.report import LeftOut, Weights
from spade.evaluation.scored_classes import ScoredClasses
from spade.evaluation.segmenter import Segmenter
from spade.evaluation.segmenter_checkpoint import load_segmenter
from spade.weights import file_digest

SEGMENTER_FEATURES = " (segmenter features)"

DEFINITIONS = {
    "fid": "|m1 - m2|^2 + trace(S1 + S2 - 2 (S1 S2)^(1/2)), unbiased covariances, float64",
    "kid": "unbiased squared maximum mean discrepancy, kernel (x . y / D + 1)^3, mean over random subsets",
    "lpips": "version 0.1, mean over the pairs of a generated picture and the photograph of the same label map",
    "diversity": "mean LPIPS or segmenter's distance of two generated pictures of a label map, their seeds 2**31 apart",
    "reconstruction": "mean LPIPS or segmenter's distance of a photograph and the picture in the style read in it",
    "miou": "mean over the classes that occur in the reference, from one confusion matrix over all pictures",
    "accuracy": "pixels of the right class / pixels whose id is not ignored, over all pictures",
    "segmenter": "the features of the segmenter named under weights; comparable only where its digest is equal",
}


NO_SEGMENTER = "no segmenter was given: --segmenter FILE of spade train-segmenter, or --predicted-labels DIR"
WITHOUT_CLASSES = "the dataset's input is pictures (label_nc 0), which have no classes"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeFiles:
    """Local files, and what goes with them; None for what was not given."""

    inception: Path | None = None
    inception_resize: Resize = Resize.BILINEAR
    lpips: Path | None = None
    lpips_network: Backbone = Backbone.ALEX
    lpips_layers: Path | None = None
    """None: those that torchmetrics carries."""
    segmenter: Path | None = None
    predicted_labels: Path | None = None


class Judging:
    """The judges, in the order of the report.

    Raises CheckpointError: where a file cannot be used. ConfigError: where a segmenter knows other classes.
    """

    def __init__(
        self,
        files: JudgeFiles,
        *,
        classes: ScoredClasses | None,
        without_classes: str | None = None,
        kid: KernelSubsets,
        pairs: Container[Pairs] = (),
        device: torch.device,
    ) -> None:
        """`classes` are those of the reference's label maps; None where it has none, which may have a reason.

        `pairs` can be compared besides those with the photographs.
        """
        self.judges: list[Judge] = []
        self.left_out: list[LeftOut] = []
        self.weights: list[Weights] = []
        self.predictions: Predictions | None = None
        self._files, self._classes, self._device = files, classes, device
        self._without_classes = without_classes
        self._subsets, self._pairs = kid, pairs
        self._add_inception()
        self._add_lpips()
        self._add_segmenter()
        self._add_predictions()

    @property
    def pairs(self) -> frozenset[Pairs]:
        """Which pictures the judges compare."""
        return frozenset(judge.pairs for judge in self.judges if isinstance(judge, PairJudge))

    @property
    def compares_distributions(self) -> bool:
        """Whether any judge looks at the reference photographs on their own."""
        return any(isinstance(judge, DistributionJudge) for judge in self.judges)

    def _add_inception(self) -> None:
        file = self._files.inception
        if file is None:
            reason = "no Inception weights were given: --inception pt_inception-2015-12-05-6726825d.pth"
            self.left_out += [LeftOut(title=title, reason=reason) for title in ("FID", "KID")]
            return
        network = load_inception(file).to(self._device)
        self.judges.append(
            DistributionJudge(InceptionSource(network, self._files.inception_resize), suffix="", subsets=self._subsets)
        )
        self._note("Inception v3", file)

    def _add_lpips(self) -> None:
        file, backbone = self._files.lpips, self._files.lpips_network
        if file is None:
            reason = "no classifier weights were given: --lpips alexnet-owt-*.pth, or vgg16-*.pth"
            self.left_out.append(LeftOut(title="LPIPS", reason=reason))
            return
        layers = self._files.lpips_layers or shipped_judgement(backbone)
        distance = load_lpips(backbone, file, layers).to(self._device)
        self._compare_pairs(distance, "lpips", f" (LPIPS, {backbone})", name="lpips", title=f"LPIPS ({backbone})")
        self._note(f"LPIPS classifier ({backbone})", file)
        self._note(f"LPIPS layers ({backbone})", layers)

    def _add_segmenter(self) -> None:
        file = self._files.segmenter
        if file is None:
            if self._files.predicted_labels is None:
                reason = self._without_classes or NO_SEGMENTER
                self.left_out += [LeftOut(title=title, reason=reason) for title in ("mIoU", "pixel accuracy")]
            return
        segmenter, _ = load_segmenter(file)
        segmenter = segmenter.to(self._device)
        distribution = DistributionJudge(SegmenterSource(segmenter), suffix=SEGMENTER_FEATURES, subsets=self._subsets)
        self.judges += [*self._segmentation(segmenter), distribution]
        self._compare_pairs(
            SegmenterDistance(segmenter),
            "segmenter",
            SEGMENTER_FEATURES,
            name="distance_segmenter",
            title=f"perceptual distance{SEGMENTER_FEATURES}",
        )
        self._note("segmenter", file)

    def _compare_pairs(self, distance: PairDistance, by: str, suffix: str, *, name: str, title: str) -> None:
        """Judges of all pairs by a distance; `name` and `title` are those of the distance from the photographs."""
        self.judges.append(PairJudge(distance, Pairs.PHOTOGRAPH, name=name, title=title))
        for pairs in (Pairs.DIVERSITY, Pairs.RECONSTRUCTION):
            if pairs in self._pairs:
                self.judges.append(PairJudge(distance, pairs, name=f"{pairs}_{by}", title=f"{pairs}{suffix}"))

    def _segmentation(self, segmenter: Segmenter) -> list[Judge]:
        if self._files.predicted_labels is not None:  # which then stand for the segmenter's own
            return []
        if self._classes is None:
            reason = self._without_classes or "the reference has no label maps: name a dataset"
            self.left_out += [LeftOut(title=title, reason=reason) for title in ("mIoU", "pixel accuracy")]
            return []
        theirs = segmenter.config
        if (theirs.classes, theirs.ignored_id) != (self._classes.count, self._classes.ignored_id):
            raise ConfigError(
                f"{self._files.segmenter}: the segmenter tells {theirs.classes} classes apart and ignores id "
                f"{theirs.ignored_id}, the dataset has {self._classes.count} and ignores {self._classes.ignored_id}"
            )
        classes = replace(self._classes, names=self._classes.names or theirs.class_names)
        return [SegmentationJudge(segmenter, classes)]

    def _add_predictions(self) -> None:
        folder = self._files.predicted_labels
        if folder is None:
            return
        if self._classes is None:
            raise ConfigError("--predicted-labels needs a dataset, whose label maps they are compared with")
        self.predictions = Predictions(folder, self._classes.count)
        self.judges.append(PredictionJudge(self.predictions, self._classes))

    def _note(self, role: str, file: Path) -> None:
        about = file_digest(file)
        self.weights.append(Weights(role=role, file=about.name, sha256=about.sha256))
