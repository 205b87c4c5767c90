"""What a sample is made from: its label map, or where the input is pictures, another picture."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spade.data.config import DatasetConfig
from spade.data.reading import LabelReader, read_picture
from spade.data.transforms import Geometry, cut_ids, cut_picture
from spade.semantics_form import reads_pictures


class Source(Protocol):
    """The first file of a sample, read whole."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        ...

    def cut(self, geometry: Geometry) -> NDArray[np.int64] | NDArray[np.float32]:
        """As `Sample.labels` has it."""
        ...


SourceReader = Callable[[Path], Source]
"""Raises DatasetError: where the file cannot be used."""


@dataclass(frozen=True, slots=True)
class LabelSource:
    """A label map (H, W), with the class that lies outside its edges."""

    ids: NDArray[np.int64]
    outside: int

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.ids.shape
        return height, width

    def cut(self, geometry: Geometry) -> NDArray[np.int64]:
        return cut_ids(self.ids, geometry, outside=self.outside)


@dataclass(frozen=True, slots=True)
class PictureSource:
    """A picture, resized and cut as the photograph that belongs to it."""

    picture: Image.Image

    @property
    def shape(self) -> tuple[int, int]:
        return self.picture.height, self.picture.width

    def cut(self, geometry: Geometry) -> NDArray[np.float32]:
        return cut_picture(self.picture, geometry)


def source_reader(config: DatasetConfig) -> SourceReader:
    """How the first files of a dataset are read. Raises PaletteError, DatasetError: where its palette is of no use."""
    if reads_pictures(config):
        return _read_picture_source
    # The published code pads with class 0; here unknown is unknown, where the dataset has it.
    return _LabelSources(LabelReader.of(config), config.unknown_id or 0)


@dataclass(frozen=True, slots=True)
class _LabelSources:
    """A class rather than a closure, so that datasets can go to other processes."""

    reader: LabelReader
    outside: int

    def __call__(self, path: Path) -> LabelSource:
        return LabelSource(self.reader.read(path), self.outside)


def _read_picture_source(path: Path) -> PictureSource:
    return PictureSource(read_picture(path))
