"""A whole evaluation: from what was asked for to the report."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from spade.data.config import DatasetConfig, Phase
from spade.data.loading import LoadingConfig
from spade.errors import ConfigError
from spade.evaluation.dataset_options import DatasetChoice
from spade.evaluation.evaluation import from_folder, from_model, judged, photographs_of, require_any
from spade.evaluation.judged_model import JudgedModel
from spade.evaluation.judges import Batch
from spade.evaluation.judging import DEFINITIONS, WITHOUT_CLASSES, JudgeFiles, Judging
from spade.evaluation.kernel_distance import KernelSubsets
from spade.evaluation.picture_folder import RESIZE, PictureFolder
from spade.evaluation.reference import DatasetReference, FolderReference, Reference
from spade.evaluation.report import Pictures, Protocol, Report, Weights
from spade.synthesis import out_of_memory_translated


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What is compared with what, and how."""

    generated: Path | JudgedModel
    """A folder of pictures, or a model, which needs a dataset."""
    reference: Path | DatasetChoice
    """A folder of photographs, or a dataset."""
    phase: Phase = Phase.VAL
    distribution_phase: Phase | None = None
    """Part of the dataset whose photographs FID and KID compare with; None for `phase`."""
    size: tuple[int, int] | None = None
    """Height and width; None for those of the pictures, or the model's own."""
    files: JudgeFiles = field(default_factory=JudgeFiles)
    kid: KernelSubsets = field(default_factory=KernelSubsets)
    seed: int = 0
    """Of the first picture of a model."""
    loading: LoadingConfig = field(default_factory=LoadingConfig)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


def run_evaluation(
    request: EvaluationRequest, *, on_total: Callable[[int], None], on_pictures: Callable[[int], None]
) -> Report:
    """Looks at all pictures; `on_total` is told how many there are, `on_pictures` how many more were looked at.

    Raises SpadeError: where files are missing, sizes or classes differ, or nothing can be measured.
    """
    run = _Run(request)
    on_total(run.total)
    judging = run.judging
    require_any(judging.judges, judging.left_out)
    with out_of_memory_translated(f"a batch of {request.loading.batch_size} pictures"):
        metrics, left_out = judged(
            judging.judges, run.photographs(), run.generated(), device=request.device, on_pictures=on_pictures
        )
    require_any(metrics, [*judging.left_out, *left_out])
    return Report(metrics=metrics, left_out=(*judging.left_out, *left_out), protocol=run.protocol())


class _Run:
    """Opens and checks everything before any picture is looked at."""

    def __init__(self, request: EvaluationRequest) -> None:
        self.request = request
        self._folder = PictureFolder(request.generated) if isinstance(request.generated, Path) else None
        self.height, self.width = request.size or self._own_size()
        self.reference = self._reference(request.phase)
        self.judging = Judging(
            request.files,
            classes=self.reference.classes,
            without_classes=WITHOUT_CLASSES if self.reference.is_dataset and not self.reference.classes else None,
            kid=request.kid,
            pairs=request.generated.pairs if isinstance(request.generated, JudgedModel) else (),
            device=request.device,
        )
        self._require_pairs()
        self.distribution: Reference | None = None
        if self.judging.compares_distributions:
            same = request.distribution_phase in (None, request.phase) or isinstance(request.reference, Path)
            wanted = self.reference if same else self._reference(request.distribution_phase or request.phase)
            self.distribution = wanted if wanted.has_photographs else None

    @property
    def total(self) -> int:
        """Pictures that are looked at on both sides."""
        return self._generated_count + (len(self.distribution.names) if self.distribution else 0)

    @property
    def _generated_count(self) -> int:
        if self._folder is None or self.reference.is_dataset:
            return len(self.reference.names)
        return len(self._folder.names)

    def photographs(self) -> Iterator[torch.Tensor]:
        return photographs_of(self.distribution, self.request.loading) if self.distribution else iter(())

    def generated(self) -> Iterator[Batch]:
        request = self.request
        if self._folder is not None:
            return from_folder(
                self._folder,
                self.reference,
                request.loading,
                height=self.height,
                width=self.width,
                resize=request.size is not None,
            )
        assert isinstance(request.generated, JudgedModel)
        assert isinstance(self.reference, DatasetReference)
        pairs = self.judging.pairs
        return from_model(request.generated, self.reference, request.loading, seed=request.seed, pairs=pairs)

    def protocol(self) -> Protocol:
        request, classes = self.request, self.reference.classes
        weights = list(self.judging.weights)
        if isinstance(request.generated, JudgedModel):
            about = request.generated
            weights.insert(0, Weights(role="model", file=about.reference, sha256=about.sha256))
        return Protocol(
            generated=self._described_generated(),
            reference=self.reference.described(),
            distribution_reference=None if self.distribution is None else self.distribution.described(),
            width=self.width,
            height=self.height,
            ignored_id=None if classes is None else classes.ignored_id,
            inception_resize=str(request.files.inception_resize) if request.files.inception else None,
            definitions=DEFINITIONS,
            weights=tuple(weights),
            device=str(request.device),
            batch_size=request.loading.batch_size,
            kid_seed=request.kid.seed,
        )

    def _own_size(self) -> tuple[int, int]:
        if self._folder is not None:
            return self._folder.size()
        assert isinstance(self.request.generated, JudgedModel)
        config = self.request.generated.synthesizer.config
        return config.height, config.width

    def _reference(self, phase: Phase) -> Reference:
        request = self.request
        if isinstance(request.reference, Path):
            return FolderReference(request.reference, self.height, self.width, resize=True)
        return DatasetReference(self._dataset(request.reference), phase)

    def _dataset(self, choice: DatasetChoice) -> DatasetConfig:
        generated = self.request.generated
        if isinstance(generated, JudgedModel):
            config = generated.synthesizer.config
            names = generated.class_names
            return choice.config_for(config, self.height, self.width, reference=generated.reference, class_names=names)
        return replace(choice.config(self.height, self.width), instance_edges=False)  # only a model reads edges

    def _require_pairs(self) -> None:
        request = self.request
        if isinstance(request.reference, Path):
            if isinstance(request.generated, JudgedModel):
                raise ConfigError("a model makes pictures of label maps, so it needs a dataset to be compared with")
            return
        # With a part of the dataset only, files of the rest are no mistake.
        all_of_them = request.reference.limit is None
        if self._folder is not None:
            self._folder.require(self.reference.names, all_of_them=all_of_them)
        if self.judging.predictions is not None:
            self.judging.predictions.require(self.reference.names, all_of_them=all_of_them)

    def _described_generated(self) -> Pictures:
        request = self.request
        resize = RESIZE if request.size is not None else None
        if self._folder is not None:
            return Pictures(source=str(self._folder.folder), count=self._generated_count, resize=resize)
        assert isinstance(request.generated, JudgedModel)
        varies = request.generated.synthesizer.config.latent_dim is not None
        return Pictures(
            source=request.generated.reference, count=self._generated_count, seed=request.seed if varies else None
        )
