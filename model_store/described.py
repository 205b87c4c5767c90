"""What reports and pages tell of a loaded model."""

from collections.abc import Sequence

from model_store.offline import OfflineModel
from model_store.registry import BLACK
from spade.evaluation.class_colors import published_color
from spade.evaluation.results_page import LegendEntry
from spade.evaluation.weights import file_digest

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
        entries = [LegendEntry(name=name, color=published_color(class_id)) for class_id, name in enumerate(names)]
        unknown = LegendEntry(name=UNKNOWN, color=published_color(model.config.label_nc))
    return [*entries, unknown] if model.config.dont_care else entries
