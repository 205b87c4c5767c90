"""Label maps, instance maps and pictures from files, with errors that name the file and the ids."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from spade.data.config import Ade20kIds, DatasetConfig, Mode
from spade.data.errors import DatasetError
from spade.label_images import LabelMapError, decode_instance_map, decode_label_map
from spade.palettes import Palette

LOSSLESS_FORMATS = {b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"P5": "PPM", b"P6": "PPM"}
"""Formats besides PNG that store ids exactly, by how their files begin."""

IDS_IN_MESSAGE = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReader:
    """Reads label maps of one dataset. The same whether a file is 1- to 16-bit grey, indexed, or coloured."""

    label_nc: int
    dont_care: bool
    palette: Palette | None = None
    shifted: bool = False
    """Whether files hold 0 for unknown and 1..label_nc for the classes, to be read as 0..label_nc-1."""

    @classmethod
    def of(cls, config: DatasetConfig) -> "LabelReader":
        """Reads the palette file if there is one. Raises PaletteError, DatasetError."""
        return cls(
            label_nc=config.label_nc,
            dont_care=config.dont_care,
            palette=_read_palette(config),
            shifted=config.mode is Mode.ADE20K and config.ade20k_ids is Ade20kIds.SHIFTED,
        )

    def read(self, path: Path) -> NDArray[np.int64]:
        """Class ids (H, W), unknown as label_nc. Raises DatasetError, which lists ids that are not of the dataset."""
        label_nc = self.label_nc + self.shifted
        unknown_id = label_nc if self.dont_care else None
        try:
            ids = decode_label_map(
                read_map_bytes(path), file=str(path), label_nc=label_nc, unknown_id=unknown_id, palette=self.palette
            )
        except LabelMapError as error:
            raise DatasetError(self._explain(error)) from error
        labels = ids.astype(np.int64)
        if self.shifted:
            labels -= 1
            labels[labels < 0] = self.label_nc
        return labels

    def _explain(self, error: LabelMapError) -> str:
        if error.code == "palette-needed":
            return (
                f"{error.file}: the file is RGB; name the CSV file that says what its colours mean, --palette, "
                "or read it as the picture that it is, --label-nc 0"
            )
        if not error.offenders:
            return str(error)
        found = _offenders_told(error)
        if error.code == "unknown-colors":
            return unknown_colors_told(error, self.palette)
        known = f"0..{self.label_nc - 1 + self.shifted}"
        known += f", and {self.label_nc} or 255 for unknown" if self.dont_care and not self.shifted else ""
        return (
            f"{error.file}: ids that are not of this dataset: {found}; known are {known}. "
            "`spade dataset inspect` proposes label_nc and dont_care"
        )


def unknown_colors_told(error: LabelMapError, palette: Palette | None) -> str:
    """What to say of a label map in colours that `palette` does not have."""
    return f"{error.file}: colours that are not in the palette {palette and palette.name}: {_offenders_told(error)}"


def read_instance_map(path: Path) -> NDArray[np.int64]:
    """The ids (H, W) as stored; only their equality means something. Raises DatasetError."""
    try:
        return decode_instance_map(read_map_bytes(path), file=str(path)).astype(np.int64)
    except LabelMapError as error:
        raise DatasetError(str(error)) from error


def read_picture(path: Path) -> Image.Image:
    """A picture as RGB, in the orientation in which it is stored, which is the one that label maps are drawn for.

    Raises DatasetError: where the file cannot be decoded whole.
    """
    with _decoding(path), Image.open(path) as image:
        return image.convert("RGB")


def read_map_bytes(path: Path) -> bytes:
    """A file of ids as PNG bytes, whichever lossless format it has. Raises DatasetError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}") from error
    format_name = next((name for magic, name in LOSSLESS_FORMATS.items() if data.startswith(magic)), None)
    if format_name is None:
        return data  # PNG, or something that the PNG reader refuses with its reason
    png = io.BytesIO()
    with _decoding(path), Image.open(io.BytesIO(data), formats=[format_name]) as image:
        image.save(png, format="PNG", compress_level=0)
    return png.getvalue()


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turns what Pillow raises into one error that names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which is not used
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except UnidentifiedImageError as error:
        raise DatasetError(f"{path}: the file is no picture that can be read") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DatasetError(f"{path}: the picture cannot be read: {detail}") from error


def _read_palette(config: DatasetConfig) -> Palette | None:
    if config.palette is None:
        return None
    ids = {name: number for number, name in enumerate(config.class_names)} or numbered_classes(config.label_nc)
    if config.dont_care:
        ids |= {"unknown": config.label_nc}
    return read_palette(config.palette, ids)


def numbered_classes(count: int) -> dict[str, int]:
    """Ids by name for classes that have none."""
    return {f"class {number}": number for number in range(count)}


def read_palette(path: str, class_ids_by_name: Mapping[str, int]) -> Palette:
    """Raises PaletteError, DatasetError: where the CSV file at `path` cannot be used or read."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: the palette cannot be read: {error.strerror}") from error
    return Palette.from_csv(data, file=path, class_ids_by_name=class_ids_by_name)


def _offenders_told(error: LabelMapError) -> str:
    found = ", ".join(f"{one.value} ({one.count} pixels)" for one in error.offenders[:IDS_IN_MESSAGE])
    more = len(error.offenders) - IDS_IN_MESSAGE
    return found + (f" and {more} more" if more > 0 else "")
