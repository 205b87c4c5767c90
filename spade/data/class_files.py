"""The file classes.csv of a dataset: names and colours of its classes, in the columns that palettes have."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from spade.data.errors import DatasetError
from spade.palettes import format_color

CLASSES_NAME = "classes.csv"


def classes_csv(names: Sequence[str], colors: Mapping[str, int]) -> str:
    """`id,name,color` of each class, one a line; usable as a palette too."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("id", "name", "color"))
    writer.writerows((number, name, format_color(colors[name])) for number, name in enumerate(names))
    return text.getvalue()


def read_class_names(folder: Path) -> dict[int, str]:
    """Names by id from the folder's classes.csv; none where there is no such file. Raises DatasetError."""
    path = folder / CLASSES_NAME
    if not path.is_file():
        return {}
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
        return {int(row["id"]): row["name"] for row in rows}
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise DatasetError(f"{path}: it must have a line `id,name,...` and then one line a class: {error}") from error
