"""Names and colours of the classes that published models know."""

import csv
from importlib import resources

from model_store.card import LabelClass
from model_store.registry import Registry
from spade.palettes import class_colors, format_color

_FILES = ("ade20k", "cityscapes", "facades")


def published_classes(dataset: str | None, label_nc: int) -> tuple[LabelClass, ...]:
    """Those of the published `dataset`; numbered ones where it is unknown or has not `label_nc` classes."""
    classes = _known_classes(dataset)
    if len(classes) == label_nc:
        return classes
    colors = class_colors(label_nc)
    return tuple(
        LabelClass(id=number, name=f"class {number}", color=format_color(colors[number])) for number in range(label_nc)
    )


def _known_classes(dataset: str | None) -> tuple[LabelClass, ...]:
    if dataset == "coco":
        return Registry(None).resolve("coco-stuff@1").classes
    if dataset not in _FILES:
        return ()
    text = (resources.files("model_store") / "classes" / f"{dataset}.csv").read_text(encoding="utf-8")
    return tuple(
        LabelClass(id=int(row["id"]), name=row["name"], color=row["color"]) for row in csv.DictReader(text.splitlines())
    )
