"""Folders of pictures, and of label maps predicted for them, read by name. H W pixels, B batch."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from spade.data.errors import DatasetError, PairingError
from spade.data.file_lists import list_files
from spade.data.reading import read_map_bytes, read_picture
from spade.data.transforms import picture_to_floats
from spade.label_images import decode_label_map

PUBLISHED_PLACE = Path("images", "synthesized_image")
"""Where `spade test` and the published code put pictures below a folder of results."""
RESIZE = "bicubic (Pillow)"
"""The filter that brings photographs and pictures of other sizes to the one at which they are compared."""


def file_stem(name: str) -> str:
    """The file name, without ending, for what belongs to a sample: its name, which may hold folders, made flat."""
    return name.strip("/").replace("/", "__")


class NamedFiles:
    """The picture files of a folder by their names without ending.

    Raises DatasetError: where the folder is missing or empty, or two files have one name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / PUBLISHED_PLACE if (folder / PUBLISHED_PLACE).is_dir() else folder
        by_stem = defaultdict(list)
        for path in list_files(self.folder):
            by_stem[file_stem(path.relative_to(self.folder).with_suffix("").as_posix())].append(path)
        if not by_stem:
            raise DatasetError(f"{self.folder}: there are no pictures")
        for paths in by_stem.values():
            if len(paths) > 1:
                raise DatasetError(f"{paths[0]} and {paths[1]} have the same name; one picture of each is needed")
        self.paths = {stem: paths[0] for stem, paths in by_stem.items()}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.paths)

    def require(self, names: Sequence[str], *, all_of_them: bool) -> None:
        """Raises PairingError: where a sample has no file or, if `all_of_them` are wanted, a file has no sample."""
        wanted = {file_stem(name) for name in names}
        problems = [f"there is no file for {stem}" for stem in sorted(wanted - self.paths.keys())]
        if all_of_them:
            problems += [f"{self.paths[stem]} belongs to no sample" for stem in sorted(self.paths.keys() - wanted)]
        if problems:
            raise PairingError(str(self.folder), problems, remedy=self._remedy(names))

    def _remedy(self, names: Sequence[str]) -> str | None:
        """What to do where the files are those of the first samples, as `spade test --limit` leaves them."""
        count = len(self.paths)
        if count < len(names) and self.paths.keys() == {file_stem(name) for name in names[:count]}:
            return f"to use the first {count} samples only, give --limit {count}"
        return None

    def path(self, name: str) -> Path:
        """Of a sample that `require` found."""
        return self.paths[file_stem(name)]


class PictureFolder(NamedFiles):
    """RGB pictures."""

    def size(self) -> tuple[int, int]:
        """Height and width of the first picture. Raises DatasetError."""
        picture = read_picture(next(iter(self.paths.values())))
        return picture.height, picture.width

    def read(self, names: Sequence[str], height: int, width: int, *, resize: bool) -> Tensor:
        """(B, 3, H, W), float32 in [-1, 1]. Raises DatasetError: where a picture of another size may not be resized."""
        return torch.stack([self._read(self.path(name), height, width, resize) for name in names])

    @staticmethod
    def _read(path: Path, height: int, width: int, resize: bool) -> Tensor:
        picture = read_picture(path)
        if picture.size != (width, height):
            if not resize:
                sizes = f"it has {picture.width}x{picture.height} pixels, the others {width}x{height}"
                raise DatasetError(f"{path}: {sizes}; give --size to bring all to one size")
            picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        return torch.from_numpy(picture_to_floats(np.asarray(picture)))


class Predictions(NamedFiles):
    """Label maps that a segmenter made of generated pictures; ids 0..classes-1."""

    def __init__(self, folder: Path, classes: int) -> None:
        super().__init__(folder)
        self._classes = classes

    def read(self, names: Sequence[str], height: int, width: int) -> Tensor:
        """(B, H, W), int64. Raises LabelMapError, DatasetError: where a map cannot be used or has another size."""
        maps = []
        for name in names:
            path = self.path(name)
            ids = decode_label_map(read_map_bytes(path), file=str(path), label_nc=self._classes, unknown_id=None)
            if ids.shape != (height, width):
                sizes = f"it has {ids.shape[1]}x{ids.shape[0]} pixels; {width}x{height} are compared"
                raise DatasetError(f"{path}: {sizes}")
            maps.append(torch.from_numpy(ids.astype(np.int64)))
        return torch.stack(maps)
