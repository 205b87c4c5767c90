"""What generated pictures are compared with: a phase of a dataset, or a folder of photographs.

B batch, H W pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from spade.data.config import DatasetConfig, Phase
from spade.data.loading import LoadingConfig
from spade.data.samples import LabelBatch, TrainingBatch
from spade.evaluation.datasets import in_order, names_of, open_with_or_without_photographs
from spade.evaluation.picture_folder import RESIZE, PictureFolder
from spade.evaluation.report import Pictures
from spade.evaluation.scored_classes import ScoredClasses, scored_classes
from spade.semantics_form import reads_pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceBatch:
    """Samples of a reference; what it does not have is None."""

    names: tuple[str, ...]
    photographs: Tensor | None
    """(B, 3, H, W) in [-1, 1]."""
    source: LabelBatch | None
    """Label maps, or input pictures, and instance maps."""


class Reference(Protocol):
    """A set of samples with names."""

    names: tuple[str, ...]
    classes: ScoredClasses | None
    """Of the label maps; None where there are none."""
    is_dataset: bool
    """Whether its samples say which pictures there are to be."""
    has_photographs: bool

    def batches(self, loading: LoadingConfig) -> Iterator[ReferenceBatch]:
        """All samples once, in order. Raises DatasetError: where a file cannot be used."""
        ...

    def described(self) -> Pictures:
        """For the report."""
        ...


class DatasetReference:
    """A phase of a dataset, every sample brought to the size of `config`.

    Raises DatasetError: where files are missing or pairs are broken.
    """

    def __init__(self, config: DatasetConfig, phase: Phase, *, photographs: bool | None = None) -> None:
        """`photographs` None: they are read if there are any."""
        self._data, self.has_photographs = open_with_or_without_photographs(config, phase, photographs=photographs)
        self.config, self.phase = config, phase
        self.names = names_of(self._data)
        self.classes: ScoredClasses | None = None if reads_pictures(config) else scored_classes(config)
        self.is_dataset = True

    def batches(self, loading: LoadingConfig) -> Iterator[ReferenceBatch]:
        for batch in self.label_batches(loading):
            photographs = batch.pictures if isinstance(batch, TrainingBatch) else None
            yield ReferenceBatch(names=batch.names, photographs=photographs, source=batch)

    def label_batches(self, loading: LoadingConfig) -> Iterator[LabelBatch]:
        """The same as datasets give them: TrainingBatches where there are photographs."""
        return in_order(self._data, loading, pictures=self.has_photographs)

    def described(self) -> Pictures:
        where = self.config.root or self.config.label_dir
        source = f"{self.config.mode} {where}" if where else str(self.config.mode)
        return Pictures(source=source, split=str(self.phase), count=len(self.names), resize=RESIZE)


class FolderReference:
    """A folder of photographs without label maps."""

    def __init__(self, folder: Path, height: int, width: int, *, resize: bool) -> None:
        self._folder, self._height, self._width, self._resize = PictureFolder(folder), height, width, resize
        self.names = self._folder.names
        self.classes: ScoredClasses | None = None
        self.is_dataset = False
        self.has_photographs = True

    def batches(self, loading: LoadingConfig) -> Iterator[ReferenceBatch]:
        for start in range(0, len(self.names), loading.batch_size):
            names = self.names[start : start + loading.batch_size]
            photographs = self._folder.read(names, self._height, self._width, resize=self._resize)
            yield ReferenceBatch(names=names, photographs=photographs, source=None)

    def described(self) -> Pictures:
        resize = RESIZE if self._resize else None
        return Pictures(source=str(self._folder.folder), count=len(self.names), resize=resize)
