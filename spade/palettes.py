"""Palettes: which exact colour means which class. Colours are integers 0xRRGGBB.

The colours of the GauGAN demonstrations (2019, 2021) follow a rule: the red byte is the 0-based COCO-Stuff class id.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from spade.errors import SpadeError

MAX_CSV_BYTES = 256 * 1024
MAX_CSV_ROWS = 4096
MOST_NAMES_TOLD = 20
COLOR_PATTERN = re.compile(r"#?([0-9A-Fa-f]{6})")

GAUGAN_COLORS: Mapping[str, int] = MappingProxyType(
    {
        "bridge": 0x5E5BC5,
        "bush": 0x606E32,
        "clouds": 0x696969,
        "dirt": 0x6E6E28,
        "fence": 0x706419,
        "flower": 0x760000,
        "fog": 0x77BA1D,
        "grass": 0x7BC800,
        "gravel": 0x7C32C8,
        "ground-other": 0x7D3054,
        "hill": 0x7EC864,
        "house": 0x7F4502,
        "mountain": 0x869664,
        "mud": 0x87716F,
        "pavement": 0x8B3027,
        "platform": 0x8F2A91,
        "river": 0x9364C8,
        "road": 0x946E28,
        "rock": 0x956432,
        "roof": 0x9600B1,
        "sand": 0x999900,
        "sea": 0x9AC6DA,
        "sky": 0x9CEEDD,
        "snow": 0x9E9EAA,
        "stone": 0xA1A164,
        "straw": 0xA2A3EB,
        "tree": 0xA8C832,
        "wall-brick": 0xAAD16A,
        "wall-stone": 0xAE2974,
        "wall-wood": 0xB0C1C3,
        "water": 0xB1C8FF,
        "wood": 0xB57B00,
    }
)
"""The 32 colours that the demonstrations offered, by COCO-Stuff class name, in the order of their class ids."""


class PaletteError(SpadeError):
    """A palette file that cannot be read; names the file and the line."""

    def __init__(self, *, file: str, detail: str) -> None:
        super().__init__(f"{file}: {detail}")
        self.file = file
        self.detail = detail


def parse_color(text: str) -> int:
    """`#9ceedd` or `9CEEDD` as 0x9CEEDD. Raises ValueError."""
    match = COLOR_PATTERN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a colour; write it as #rrggbb")
    return int(match[1], 16)


def format_color(color: int) -> str:
    """0x9CEEDD as `#9ceedd`."""
    return f"#{color:06x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Exact colours and the class id that each one means; several colours may mean one class."""

    name: str
    colors: Mapping[int, int]

    @classmethod
    def from_csv(cls, data: bytes, *, file: str, class_ids_by_name: Mapping[str, int]) -> Self:
        """Read a palette from CSV with a header row.

        The colour is in a column `color` (`#rrggbb`) or in three columns `r`, `g`, `b` (0..255); the class is in a
        column `id` or `name`. Other columns are ignored. Names and ids are those of `class_ids_by_name`, which should
        hold the model's unknown class too. Raises PaletteError that names the line and what would be right.
        """
        if len(data) > MAX_CSV_BYTES:
            raise PaletteError(
                file=file, detail=f"{len(data)} bytes are too many for a palette, at most {MAX_CSV_BYTES}"
            )
        try:
            rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True, skipinitialspace=True)
            rows.fieldnames = [field.strip().lower() for field in rows.fieldnames or ()]
            reader = _RowReader(columns=frozenset(rows.fieldnames), class_ids_by_name=class_ids_by_name)
            colors = _collect(rows, reader)
        except (UnicodeDecodeError, csv.Error) as error:
            raise PaletteError(file=file, detail=f"it is not CSV in UTF-8: {error}") from error
        except ValueError as error:
            raise PaletteError(file=file, detail=str(error)) from error
        if not colors:
            raise PaletteError(file=file, detail="it holds no colours")
        return cls(name=file, colors=MappingProxyType(colors))


def gaugan_palette(class_ids_by_name: Mapping[str, int]) -> Palette:
    """The GauGAN colours whose class names the model knows, as a palette of that model."""
    known = {color: class_ids_by_name[name] for name, color in GAUGAN_COLORS.items() if name in class_ids_by_name}
    return Palette(name="gaugan", colors=MappingProxyType(known))


def class_colors(count: int) -> dict[int, int]:
    """A colour for each id of `count`, unlike any other: the scheme of PASCAL VOC on id + 1, as the published code has.

    The bits of the number are dealt out to red, green and blue in turn, the highest bits of each first.
    """
    colors = {}
    for class_id in range(count):
        number, color = class_id + 1, 0
        for bit in range(7, -1, -1):
            for channel in (16, 8, 0):
                color |= (number & 1) << channel + bit
                number >>= 1
        colors[class_id] = color
    return colors


def colorize(label_map: NDArray[np.integer], class_colors: Mapping[int, int]) -> NDArray[np.uint8]:
    """Paint a label map (H, W) in its classes' colours: uint8 RGB (H, W, 3), black where a class has no colour."""
    table = np.zeros(int(label_map.max(initial=0)) + 1, dtype=np.uint32)
    for class_id, color in class_colors.items():
        if class_id < len(table):
            table[class_id] = color
    packed = table[label_map]
    return np.stack([packed >> 16, packed >> 8 & 0xFF, packed & 0xFF], axis=-1).astype(np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowReader:
    """Knows which columns hold the colour and the class."""

    columns: frozenset[str]
    class_ids_by_name: Mapping[str, int]

    def __post_init__(self) -> None:
        if not ("color" in self.columns or {"r", "g", "b"} <= self.columns):
            raise ValueError("its first line must name a column color (#rrggbb) or columns r, g, b")
        if not {"id", "name"} & self.columns:
            raise ValueError("its first line must name a column id or name for the class")

    def color(self, row: Mapping[str, str | None]) -> int:
        if "color" in self.columns:
            return parse_color(row["color"] or "")
        color = 0
        for channel in "rgb":
            text = (row[channel] or "").strip()
            if not (text.isascii() and text.isdigit() and int(text) <= 255):
                raise ValueError(f"{channel} is {text!r}; it must be 0..255")
            color = color << 8 | int(text)
        return color

    def class_id(self, row: Mapping[str, str | None]) -> int:
        if "id" in self.columns:
            text = (row["id"] or "").strip()
            known = self.class_ids_by_name.values()
            if not (text.isascii() and text.isdigit() and int(text) in known):
                raise ValueError(f"class id {text!r} is not one of the model's, {min(known)}..{max(known)}")
            return int(text)
        name = (row["name"] or "").strip()
        if name not in self.class_ids_by_name:
            raise ValueError(f"class {name!r} is not one of the model's; known are {self._known_names}")
        return self.class_ids_by_name[name]

    @property
    def _known_names(self) -> str:
        names = list(self.class_ids_by_name)
        more = len(names) - MOST_NAMES_TOLD
        return ", ".join(names[:MOST_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")


def _collect(rows: "csv.DictReader[str]", reader: _RowReader) -> dict[int, int]:
    colors: dict[int, int] = {}
    for row in rows:
        try:
            color, class_id = reader.color(row), reader.class_id(row)
            if colors.setdefault(color, class_id) != class_id:
                raise ValueError(f"colour {format_color(color)} already means class {colors[color]}")
        except ValueError as error:
            raise ValueError(f"line {rows.line_num}: {error}") from error
        if len(colors) > MAX_CSV_ROWS:
            raise ValueError(f"it holds more than {MAX_CSV_ROWS} colours")
    return colors
