"""Label maps, or pictures in their place, with their pictures and instance maps, as a torch dataset."""

import hashlib
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from spade.data.config import DatasetConfig, Phase
from spade.data.errors import DatasetError
from spade.data.layouts import find_samples
from spade.data.pairing import SampleFiles
from spade.data.randomness import Purpose, random_for
from spade.data.reading import read_instance_map, read_picture
from spade.data.samples import Sample, SampleKey
from spade.data.sources import source_reader
from spade.data.transforms import cut_ids, cut_picture, plan_geometry

ASPECT_TOLERANCE = 0.02
"""How far the widths per height of a label map and its picture may be apart: rounding, not another picture."""


class LabelledPictures(Dataset[Sample]):
    """A phase of a dataset of files; training samples are cut at random, the others always alike.

    Indexed by SampleKey; what a key gives depends on the key and `seed` only.

    Raises DatasetError, on construction where files are missing or pairs are broken, on indexing where a file cannot
    be used.
    """

    def __init__(self, config: DatasetConfig, phase: Phase, *, seed: int = 0, pictures: bool = True) -> None:
        """`pictures` False reads label maps and instance maps only, as for testing."""
        self.config = config
        self.phase = phase
        self.seed = seed
        self.files = find_samples(config, phase, pictures=pictures)
        self._read_source = source_reader(config)

    def __len__(self) -> int:
        return len(self.files)

    def fingerprint(self) -> str:
        """Tells datasets apart by the names of their samples, wherever they lie."""
        return hashlib.sha256("\n".join(files.name for files in self.files).encode()).hexdigest()

    def work(self) -> list[int]:
        """How much training takes of each sample: bytes of its label map, which grow with the borders in it.

        A SPADE layer computes the windows of a map that differ, and those lie at borders.
        """
        return [_size_on_disk(files.label) for files in self.files]

    def __getitem__(self, key: SampleKey) -> Sample:
        files = self.files[key.index]
        random = random_for(Purpose.CUT, self.seed, key.epoch, key.index) if self.phase is Phase.TRAIN else None
        source = self._read_source(files.label)
        instances = read_instance_map(files.instance) if files.instance else None
        picture = read_picture(files.picture) if files.picture else None
        if instances is not None:
            _require_same_size(files, source.shape, instances.shape)
        if picture is not None:
            _require_same_shape(files, source.shape, (picture.height, picture.width))
        # Where the resolutions differ, crops are counted in the picture's pixels.
        height, width = (picture.height, picture.width) if picture is not None else source.shape
        geometry = plan_geometry(self.config, height, width, random)
        return Sample(
            labels=source.cut(geometry),
            instances=None if instances is None else cut_ids(instances, geometry, outside=0),
            picture=None if picture is None else cut_picture(picture, geometry),
            name=files.name,
        )


def _size_on_disk(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # told where it is read
        return 0


def _require_same_size(files: SampleFiles, labels: tuple[int, ...], instances: tuple[int, ...]) -> None:
    if labels != instances:
        raise DatasetError(
            f"{files.instance}: the instance map is {_size(instances)}, but the label map {_size(labels)} pixels"
        )


def _require_same_shape(files: SampleFiles, labels: tuple[int, ...], picture: tuple[int, ...]) -> None:
    if abs(np.log(labels[1] * picture[0] / (labels[0] * picture[1]))) > ASPECT_TOLERANCE:
        raise DatasetError(
            f"{files.picture}: the picture is {_size(picture)}, but the label map {_size(labels)} pixels: "
            f"they are of different shapes, so {Path(files.label).name} may belong to another picture"
        )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
