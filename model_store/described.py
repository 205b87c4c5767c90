"""What reports and pages tell of a loaded model."""

from collections.abc import Sequence

from model_store.offline import OfflineModel
from model_store.registry import BLACK
from spade.pages.page import LegendEntry
from spade.palettes import class_colors
from spade.weights import file_digest

UNKNOWN = "unknown"


def weights_digest(model: OfflineModel) -> str:
    """The sha256 of its weights file. Raises CheckpointError: where the file has gone."""
    return model.card.weights.sha256 if model.card else file_digest(model.reference).sha256


def class_legend(model: OfflineModel, class_names: Sequence[str]) -> list[LegendEntry]:
    """Name and colour of each class by its id, then of the unknown class if the model has one.

    A card knows both; of a bare weights file the names are `class_names`, if there are any, and the colours those of
    the published code.
    """
    if model.card:
        entries = [LegendEntry(name=one.name, color=one.rgb) for one in model.card.classes]
        unknown = LegendEntry(name=UNKNOWN, color=BLACK)
    else:
        names = class_names or [str(class_id) for class_id in range(model.config.label_nc)]
        *colors, color_of_unknown = class_colors(len(names) + 1).values()
        entries = [LegendEntry(name=name, color=color) for name, color in zip(names, colors, strict=True)]
        unknown = LegendEntry(name=UNKNOWN, color=color_of_unknown)
    return [*entries, unknown] if model.config.dont_care else entries
